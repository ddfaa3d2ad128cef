-- name: rotate
-- A new secret for one phone, or for the own phone if $2 is null. $4: seconds for which the present one stays valid too; 0 ends it
-- at once. The extension is locked.
update phones
set
    secret = $3, sealed = null, sealed_with = null,
    former_until = case when $4::float8 > 0 then now() + make_interval(secs => $4::float8) end
where extension = $1 and (phone_id = $2::bigint or $2::bigint is null and endpoint = extension)
returning phone_id, endpoint, former_until

-- name: rotation_under_way
-- Until when the secret before the last routine rotation stays valid.
select former_until from phones
where extension = $1 and (phone_id = $2::bigint or $2::bigint is null and endpoint = extension) and former_until > now()

-- name: without_secret
-- Extensions with a phone whose secret has ended in a session that could not seal another.
select distinct p.extension
from phones as p
join call_servers as c on c.name = p.call_server
where p.secret is null and p.sealed is null and c.credentials = 'managed'
order by p.extension
limit 1000

-- name: fill
-- The extension is locked. Others may have filled them meanwhile.
update phones set secret = fresh_secret(call_server)
where extension = $1 and secret is null and sealed is null
returning phone_id, endpoint
