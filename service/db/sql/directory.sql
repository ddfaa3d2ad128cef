-- name: all_people
select user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified from users

-- name: people
select user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified
from users
where user_id = any($1::bigint[])

-- name: all_tokens
select token_hash, user_id, extract(epoch from expires_at)::float8 as expires_at from tokens where expires_at > now()

-- name: tokens
select token_hash, user_id, extract(epoch from expires_at)::float8 as expires_at
from tokens
where token_hash = any($1::bytea[])

-- name: all_extensions
select extension, secret, call_server, enabled, user_id from extensions

-- name: extensions
select extension, secret, call_server, enabled, user_id
from extensions
where extension = any($1::text[])
