-- name: issue
-- Only for an active user. `for share` serialises this with a concurrent deactivation or deletion: if this comes first,
-- the other waits and then revokes the new token too; otherwise no row is inserted.
insert into tokens (token_hash, user_id, expires_at, label)
select $1, user_id, $3, $4 from users where user_id = $2 and active for share

-- name: issue_for_login
-- The same for a login. Revokes the user's oldest login tokens above $5.
select issue_token($1, $2, $3, $4, $5)

-- name: revoke
delete from tokens where token_hash = $1 returning user_id, label

-- name: revoke_all
delete from tokens where user_id = $1

-- name: revoke_by_prefix
delete from tokens where encode(token_hash, 'hex') like $1 || '%' returning user_id, label

-- name: list
select encode(t.token_hash, 'hex') as hash, u.name, t.created_at, t.expires_at, t.scope, t.label
from tokens as t
join users as u using (user_id)
where t.expires_at > now()
order by u.name, t.created_at

-- name: delete_expired
delete from tokens where expires_at < now() - interval '1 day'
