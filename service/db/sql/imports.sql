-- name: lock
-- Serialises the imports of one call server until the transaction ends.
select pg_advisory_xact_lock(hashtextextended('import of ' || $1, 0))

-- name: try_lock
select pg_try_advisory_xact_lock(hashtextextended('import of ' || $1, 0))

-- name: owner
select credentials, now() as began_at from call_servers where name = $1

-- name: finished_within
-- When the last import began to read, if that was at most so many seconds ago.
select imported_at from imports where call_server = $1 and imported_at >= clock_timestamp() - make_interval(secs => $2)

-- name: finish
-- `now()` is when the transaction began.
insert into imports (call_server, imported_at) values ($1, now())
on conflict (call_server) do update set imported_at = excluded.imported_at

-- name: lock_extensions
-- Whoever writes a phone locks its extension first.
select extension from extensions where call_server = $1 order by extension for no key update

-- name: extensions
select extension, coalesce(local_number, extension) as local_number, user_id from extensions where call_server = $1

-- name: phones
select
    endpoint, extension, auth_username, opened_secret(secret, sealed, sealed_with, call_server) as secret, profile,
    missing_since is not null as missing
from phones
where call_server = $1

-- name: elsewhere
select extension, call_server from extensions where call_server <> $1

-- name: create_extensions
insert into extensions (extension, local_number, call_server, profile)
select number, nullif(local_number, number), $1, 'sip'
from unnest($2::text[], $3::text[]) as made (number, local_number)

-- name: create_phones
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
select $1, endpoint, extension, auth_username, secret, profile
from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    as made (endpoint, extension, auth_username, secret, profile)

-- name: change_phones
update phones as p
set auth_username = c.auth_username, secret = c.secret, profile = c.profile
from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as c (endpoint, auth_username, secret, profile)
where p.call_server = $1 and p.endpoint = c.endpoint

-- name: mark_missing
update phones set missing_since = now() where call_server = $1 and endpoint = any($2) and missing_since is null

-- name: mark_returned
update phones set missing_since = null where call_server = $1 and endpoint = any($2)

-- name: delete_phones
-- The copy of an own phone's secret goes with it.
with deleted as (
    delete from phones where call_server = $1 and endpoint = any($2) returning extension, endpoint
)
update extensions as e set secret = null from deleted as d where e.extension = d.extension and d.endpoint = d.extension

-- name: delete_extensions
delete from extensions where call_server = $1 and extension = any($2)

-- name: people_by_name
select folded(u.name) as key, u.user_id, u.name, u.active, e.extension
from users as u
left join extensions as e using (user_id)
where folded(u.name) = any($1)

-- name: email_holders
select folded(email) as key, name from users where folded(email) = any($1)

-- name: create_people
insert into users (name, fullname, email, uid, passwd, user_type)
select name, fullname, email, uid, $1, 'agent'
from unnest($2::text[], $3::text[], $4::text[], $5::text[]) as made (name, fullname, email, uid)
returning user_id, name

-- name: assign_people
-- Assigns free extensions only.
update extensions as e
set user_id = a.user_id
from unnest($2::text[], $3::bigint[]) as a (extension, user_id)
where e.call_server = $1 and e.extension = a.extension and e.user_id is null
