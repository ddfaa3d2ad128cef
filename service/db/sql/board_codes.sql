-- name: lock_admin
-- An active admin. Everybody who writes codes locks their admin first: a trigger deletes codes with the admin locked.
select uid, name from users where user_id = $1 and active and user_type = 'admin' for no key update

-- name: make
insert into board_codes (code_hash, user_id, expires_at, label)
values ($1, $2, now() + make_interval(secs => $3::float8), $4)
returning expires_at

-- name: end_oldest_codes
-- Leaves the newest $2 codes of an admin.
delete from board_codes
where code_hash in (
    select code_hash from board_codes where user_id = $1 order by created_at desc, code_hash offset $2
)

-- name: find
select user_id from board_codes where code_hash = $1 and expires_at > now()

-- name: redeem
delete from board_codes where code_hash = $1 and expires_at > now() returning label

-- name: issue
insert into tokens (token_hash, user_id, expires_at, label, scope) values ($1, $2, $3, $4, 'board')

-- name: end_oldest_tokens
-- Leaves the newest $2 board tokens of an admin.
delete from tokens
where token_hash in (
    select token_hash
    from tokens
    where user_id = $1 and scope = 'board'
    order by created_at desc, token_hash
    offset $2
)
returning user_id, label

-- name: delete_expired
-- Some at a time. Codes that others have locked are left to them.
delete from board_codes
where code_hash in (
    select code_hash from board_codes where expires_at < now() limit 100 for update skip locked
)
