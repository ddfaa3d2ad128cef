-- name: rotate
-- A new secret for one phone, or for the own phone if $2 is null. $4: seconds for which the present one stays valid too; 0 ends it
-- at once. The extension is locked.
update phones
set
    secret = $3, sealed = null, sealed_with = null,
    former_until = case when $4::float8 > 0 then now() + make_interval(secs => $4::float8) end
where extension = $1 and (phone_id = $2::bigint or $2::bigint is null and endpoint = extension)
returning phone_id, extension, endpoint, former_until

-- name: lock_extension_of
-- Locks the extension of a phone, as everyone does who writes phones.
select e.extension, e.call_server, e.user_id
from extensions as e
join phones as p using (extension)
where p.phone_id = $1
for no key update of e

-- name: rotation_under_way
-- Until when the secret before the last routine rotation stays valid.
select former_until from phones
where extension = $1 and (phone_id = $2::bigint or $2::bigint is null and endpoint = extension) and former_until > now()

-- name: without_secret
-- Extensions with a phone whose secret has ended in a session that could not seal another, where this session can.
select distinct p.extension
from phones as p
join call_servers as c on c.name = p.call_server
where p.secret is null and p.sealed is null and c.credentials = 'managed'
    and (c.secrets_key is null or key_of_secrets(c.name, c.secrets_key) is not null)
order by p.extension
limit 100

-- name: lock_to_fill
-- Locks an extension unless another session holds it: of several processes each fills others.
select extension from extensions where extension = $1 for no key update skip locked

-- name: fill
-- The extension is locked. Others may have filled them meanwhile.
update phones as p
set secret = fresh_secret(p.call_server)
from call_servers as c
where p.extension = $1 and p.secret is null and p.sealed is null and c.name = p.call_server and c.credentials = 'managed'
returning p.phone_id, p.endpoint

-- name: phones
-- `password`: `set`, `none`, or `unreadable` if this session has no key that opens it.
select
    phone_id, endpoint, auth_username, profile, kind, label, missing_since is not null as missing,
    case
        when secret is null and sealed is null then 'none'
        when opened_secret(secret, sealed, sealed_with, call_server) is null then 'unreadable'
        else 'set'
    end as password,
    case when former_until > now() then former_until end as former_valid_until
from phones
where extension = $1
order by endpoint <> extension, phone_id

-- name: passwords
select phone_id, endpoint, opened_secret(secret, sealed, sealed_with, call_server) as password
from phones
where extension = $1 and (phone_id = $2::bigint or $2::bigint is null)
order by endpoint <> extension, phone_id

-- name: rotated_with
-- Endpoints whose secrets end with a change of this person. $2: call servers that the settings say are imported.
select p.endpoint
from phones as p
join extensions as e using (extension)
join call_servers as c on c.name = p.call_server
where e.user_id = $1 and c.credentials = 'managed' and c.name <> all($2::text[])
order by p.endpoint <> p.extension, p.phone_id
