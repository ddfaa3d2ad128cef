-- name: call_servers
select name, credentials, secrets_key from call_servers order by name

-- name: status
-- How the SIP passwords of each call server are stored. `unreadable`: encrypted with a key that this connection does not have.
select
    c.name as call_server, c.credentials, c.secrets_key as key_name,
    count(p.phone_id) as phones,
    count(*) filter (where p.secret is not null) as plain,
    count(*) filter (where p.sealed_with = c.secrets_key) as encrypted,
    count(*) filter (where p.sealed_with is distinct from c.secrets_key and p.sealed is not null) as other_key,
    coalesce(array_agg(distinct p.sealed_with) filter (where p.sealed is not null), '{}') as keys,
    count(*) filter (where p.phone_id is not null and p.secret is null and p.sealed is null) as without,
    count(*) filter (
        where p.sealed is not null and opened_secret(null, p.sealed, p.sealed_with, p.call_server) is null
    ) as unreadable
from call_servers as c
left join phones as p on p.call_server = c.name
group by c.name
order by c.name

-- name: unreadable
-- Phones whose SIP password, or the one before it, cannot be opened. The rewrite leaves them as they are.
select count(*) from phones
where call_server = $1
    and (
        sealed is not null and opened_secret(null, sealed, sealed_with, call_server) is null
        or former_sealed is not null and opened_secret(null, former_sealed, former_sealed_with, call_server) is null
    )

-- name: arrived
-- Whether the keys have come along with the connection; a pooler may drop them.
select coalesce(current_setting('connector.master_keys', true), '') <> ''

-- name: others_read_along
-- Whether the connection crosses a network without TLS. A socket of this machine has no address.
select not s.ssl and not coalesce(inet_client_addr() <<= '127.0.0.0/8' or inet_client_addr() <<= '::1/128', true)
from pg_stat_ssl as s
where s.pid = pg_backend_pid()

-- name: pgcrypto
select n.nspname from pg_extension as e join pg_namespace as n on n.oid = e.extnamespace where e.extname = 'pgcrypto'

-- name: lock
-- One `secrets rekey` at a time. The session holds it ("keys" in ASCII).
select pg_try_advisory_lock(1801812339)

-- name: followers
-- Serving processes: each has one session that follows changes, whose name says which keys the process has.
select application_name from pg_stat_activity
where datname = current_database() and application_name like 'asterisk-connector changes%'

-- name: switch
update call_servers set secrets_key = $2 where name = $1 and secrets_key is distinct from $2

-- name: lock_batch
-- The next extensions with a phone to rewrite, in the order of imports; whoever writes a phone locks its extension first. Those
-- that somebody else writes now are for a later pass. No password is opened here: the planner may look at all of them.
select e.extension
from extensions as e
where e.call_server = $1 and e.extension > $3
    and exists (
        select from phones as p
        where p.extension = e.extension
            and (
                $2::text is not null and (p.secret is not null or p.former_secret is not null)
                or p.sealed_with <> coalesce($2, '')
                or p.former_sealed_with <> coalesce($2, '')
            )
    )
order by e.extension
limit $4
for no key update skip locked

-- name: lock_phones
-- Those of the extensions that nobody else holds.
select phone_id from phones where extension = any($1::text[]) order by phone_id for no key update skip locked

-- name: rewrite
-- Stores the same passwords again: the trigger encrypts them with the call server's key ($2), or with none. What cannot be opened
-- stays as it is.
with opened as materialized (
    select
        phone_id,
        case when secret is not null or sealed_with <> coalesce($2, '')
            then opened_secret(secret, sealed, sealed_with, call_server) end as secret,
        case when former_secret is not null or former_sealed_with <> coalesce($2, '')
            then opened_secret(former_secret, former_sealed, former_sealed_with, call_server) end as former_secret
    from phones
    where call_server = $1 and phone_id = any($3::bigint[])
)
update phones as p
set
    secret = o.secret,
    former_secret = o.former_secret,
    former_sealed = case when o.former_secret is null then p.former_sealed end,
    former_sealed_with = case when o.former_secret is null then p.former_sealed_with end
from opened as o
where p.phone_id = o.phone_id
    and (
        o.secret is distinct from p.secret or o.former_secret is distinct from p.former_secret
        or $2::text is not null and (o.secret is not null or o.former_secret is not null)
    )

-- name: to_do
-- Phones to rewrite, those included that cannot be opened.
select count(*) from phones
where call_server = $1
    and (
        $2::text is not null and (secret is not null or former_secret is not null)
        or sealed_with <> coalesce($2, '')
        or former_sealed_with <> coalesce($2, '')
    )

-- name: remaining
select count(*) from phones
where call_server = $1
    and (
        $2::text is not null and (secret is not null or former_secret is not null)
        or sealed_with <> coalesce($2, '') and opened_secret(null, sealed, sealed_with, call_server) is not null
        or former_sealed_with <> coalesce($2, '')
            and opened_secret(null, former_sealed, former_sealed_with, call_server) is not null
    )

-- name: candidates
-- Endpoints that Asterisk should see and that the key does not encrypt yet, those without a former password first.
select p.phone_id, p.extension, p.endpoint
from live_phones as p
where p.call_server = $1 and p.sealed_with is distinct from $2
    and opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server) is not null
order by p.former_until > now() nulls first, p.phone_id
limit 20

-- name: lock_extension
select from extensions where extension = $1 for no key update

-- name: seal_one
update phones
set secret = null, sealed = sealed_secret(opened_secret(secret, sealed, sealed_with, call_server), call_server, $2), sealed_with = $2
where phone_id = $1 and opened_secret(secret, sealed, sealed_with, call_server) is not null

-- name: tried
-- Extensions with a password encrypted with a key that is not the call server's: a trial that was not ended.
select p.extension, c.secrets_key
from phones as p
join call_servers as c on c.name = p.call_server
where p.call_server = $1 and p.sealed_with = $2 and c.secrets_key is distinct from $2
order by p.extension
limit 100
