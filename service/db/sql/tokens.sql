-- name: issue
-- Only for an active person. Whoever deactivates or deletes them at this moment waits for this, and then ends it too, or
-- was first, and there is no row.
insert into tokens (token_hash, user_id, expires_at, label)
select $1, user_id, $3, $4 from users where user_id = $2 and active for share

-- name: issue_to_one_of_few
-- The same for a login: of more than $5, the oldest ends.
select issue_token($1, $2, $3, $4, $5)

-- name: revoke
delete from tokens where token_hash = $1

-- name: revoke_all
delete from tokens where user_id = $1

-- name: revoke_by_prefix
delete from tokens where encode(token_hash, 'hex') like $1 || '%'

-- name: list
select encode(t.token_hash, 'hex') as hash, u.name, t.created_at, t.expires_at, t.label
from tokens as t
join users as u using (user_id)
where t.expires_at > now()
order by u.name, t.created_at

-- name: delete_expired
delete from tokens where expires_at < now() - interval '1 day'
