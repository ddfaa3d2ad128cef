-- name: all_people
select user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified from users

-- name: people
select user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified
from users
where user_id = any($1::bigint[])

-- name: all_tokens
select token_hash, user_id, extract(epoch from expires_at)::float8 as expires_at, scope
from tokens
where expires_at > now()

-- name: tokens
select token_hash, user_id, extract(epoch from expires_at)::float8 as expires_at, scope
from tokens
where token_hash = any($1::bytea[])

-- name: all_extensions
select
    e.extension, e.call_server, e.enabled, e.user_id, e.local_number,
    (
        select json_agg(json_build_array(
            p.phone_id, p.endpoint, p.auth_username, opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server),
            p.profile, p.label, p.missing_since is not null, p.sealed is not null, p.kind,
            case when s.link_hash is not null or s.device_hash is not null then json_build_array(
                encode(s.link_hash, 'hex'), extract(epoch from s.link_expires_at)::float8, encode(s.device_hash, 'hex')
            ) end
        ) order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id)
        from phones as p
        left join phone_setups as s using (phone_id)
        where p.extension = e.extension
    )::text as phones
from extensions as e

-- name: extensions
select
    e.extension, e.call_server, e.enabled, e.user_id, e.local_number,
    (
        select json_agg(json_build_array(
            p.phone_id, p.endpoint, p.auth_username, opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server),
            p.profile, p.label, p.missing_since is not null, p.sealed is not null, p.kind,
            case when s.link_hash is not null or s.device_hash is not null then json_build_array(
                encode(s.link_hash, 'hex'), extract(epoch from s.link_expires_at)::float8, encode(s.device_hash, 'hex')
            ) end
        ) order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id)
        from phones as p
        left join phone_setups as s using (phone_id)
        where p.extension = e.extension
    )::text as phones
from extensions as e
where e.extension = any($1::text[])

-- name: credential_owners
select name, credentials from call_servers
