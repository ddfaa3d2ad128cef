-- name: lock_phone
-- Locks the extension of a phone, as everyone does who writes phones.
select e.extension, e.call_server, e.user_id, p.endpoint, p.kind
from extensions as e
join phones as p using (extension)
where p.phone_id = $1
for no key update of e

-- name: start
-- A new link of a phone; the one before ends. $3: seconds for which it is valid.
insert into phone_setups (phone_id, extension, link_hash, link_expires_at, fetches_left)
select phone_id, extension, $2, now() + make_interval(secs => $3::float8), $4 from phones where phone_id = $1
on conflict (phone_id) do update
set
    link_hash = excluded.link_hash, link_expires_at = excluded.link_expires_at, fetches_left = excluded.fetches_left
returning link_expires_at

-- name: lock_link
-- Locks the extension of a link that is valid for one more fetch. Once more under the lock: others may fetch meanwhile.
select p.phone_id, p.extension
from phone_setups as s
join phones as p using (phone_id)
join extensions as e on e.extension = p.extension
where s.link_hash = $1
for no key update of e

-- name: valid_link
select p.phone_id, p.extension, p.endpoint, s.fetches_left, s.link_expires_at
from phone_setups as s
join live_phones as p using (phone_id)
join call_servers as c on c.name = p.call_server
where s.link_hash = $1 and s.link_expires_at > now() and s.fetches_left > 0
    and c.credentials = 'managed' and c.name <> all($2::text[])

-- name: new_secret
-- Ends the secret before at once, and by a trigger the link and the device's URL.
update phones
set secret = $2, sealed = null, sealed_with = null, former_until = null
where phone_id = $1

-- name: fetched
-- The new device's URL, and what is left of the link: nothing if $4 is 0.
update phone_setups
set
    device_hash = $2,
    link_hash = case when $4::smallint > 0 then $3::bytea end,
    link_expires_at = case when $4::smallint > 0 then $5::timestamptz end,
    fetches_left = case when $4::smallint > 0 then $4::smallint end
where phone_id = $1

-- name: end_link
-- Ends the link of a phone that has fetched its configuration by it; a newer link stays.
update phone_setups
set link_hash = null, link_expires_at = null, fetches_left = null
where phone_id = $1 and link_hash = $2 and device_hash is not null
returning phone_id

-- name: record_fetches
-- The last fetches of phones that still exist, in order of their ids, so that two processes never wait for each other.
insert into phone_activity (phone_id, last_fetched_at, last_fetched_from)
select phone_id, given.at, given.address
from unnest($1::bigint[], $2::timestamptz[], $3::text[]) as given (phone_id, at, address)
join phones using (phone_id)
order by phone_id
on conflict (phone_id) do update
set last_fetched_at = excluded.last_fetched_at, last_fetched_from = excluded.last_fetched_from
where phone_activity.last_fetched_at < excluded.last_fetched_at
