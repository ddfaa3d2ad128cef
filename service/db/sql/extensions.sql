-- name: list_in_use
-- The extensions that an Asterisk can see, with the endpoints of their phones.
select
    e.call_server, e.extension, coalesce(e.local_number, e.extension) as local_number,
    array_agg(p.endpoint order by p.phone_id) filter (where p.endpoint is not null) as endpoints,
    array_agg(p.endpoint order by p.phone_id) filter (where p.missing_since is not null) as missing
from live_extensions as live
join extensions as e using (extension)
left join phones as p using (extension)
group by e.extension
order by e.call_server, e.extension

-- name: find_number
-- The extension with this number, else those with a phone whose endpoint has this name; at most a few are named.
select extension from extensions where extension = $1
union
select extension from phones where endpoint = $1 and not exists (select from extensions where extension = $1)
order by extension
limit 5

-- name: create
-- Creates an extension and its own phone.
with made as (insert into extensions (extension, call_server, profile) values ($1, $3, $4))
insert into phones (call_server, endpoint, extension, auth_username, secret, profile) values ($3, $1, $1, $1, $2, $4)

-- name: assign
-- Assigns a free extension. No row: the extension or user does not exist, or the extension is another user's.
-- Locks the user, so that concurrent assignments to one user are serialised.
with person as (select user_id from users where user_id = $2 for no key update)
update extensions as e set user_id = person.user_id
from person
where e.extension = $1 and (e.user_id is null or e.user_id = person.user_id)
returning e.extension

-- name: lock_user_by_uid
-- Serialises assignments to one user. `no key update`: their tokens can still be issued and revoked.
select user_id, name from users where uid = $1 for no key update

-- name: lock_user_by_name
select user_id, name from users where folded(name) = $1 for no key update

-- name: lock_extension
-- Serialises assignments of one extension.
select user_id from extensions where extension = $1 for update

-- name: unassign_others
update extensions set user_id = null where user_id = $1 and extension <> $2 returning extension

-- name: assign_locked
update extensions set user_id = $2 where extension = $1

-- name: unassign_user
update extensions as e set user_id = null
from users as u
where u.user_id = e.user_id and folded(u.name) = $1
returning u.uid, u.name as username, e.extension

-- name: unassign
update extensions set user_id = null where extension = $1 returning extension

-- name: set_enabled
update extensions set enabled = $2 where extension = $1 returning extension

-- name: change
-- Null leaves the value unchanged. Locks the extension first.
update extensions set enabled = coalesce($2, enabled) where extension = $1

-- name: change_own_phone
-- A given secret ends the present one and the former one at once.
update phones
set
    profile = coalesce($2, profile), secret = coalesce($3, secret),
    former_until = case when $3::text is null then former_until end
where extension = $1 and endpoint = extension

-- name: get
select e.extension, e.call_server, first_phone.profile, e.enabled, u.uid, u.name as username
from extensions as e
left join users as u using (user_id)
left join lateral (
    select p.profile from phones as p
    where p.extension = e.extension
    order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id
    limit 1
) as first_phone on true
where e.extension = $1

-- name: delete
delete from extensions where extension = $1

-- name: list
select e.extension, e.call_server, first_phone.profile, e.enabled, u.name as user_name
from extensions as e
left join users as u using (user_id)
left join lateral (
    select p.profile from phones as p
    where p.extension = e.extension
    order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id
    limit 1
) as first_phone on true
order by e.extension

-- name: exists
select
    exists (select from extensions where extension = $1) as extension,
    exists (select from users where user_id = $2) as person

-- name: stored
-- Without secrets. $1: a number, or the endpoint name of a phone; $2: a call server; null for all.
select
    e.extension, e.call_server, e.enabled, u.uid, u.name as username, u.active as user_active,
    coalesce(e.local_number, e.extension) as local_number,
    array(
        select p.endpoint from phones as p
        where p.extension = e.extension
        order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id
    ) as endpoints
from extensions as e
left join users as u using (user_id)
where
    ($2::text is null or e.call_server = $2)
    and (
        $1::text is null or e.extension = $1
        or exists (select from phones as p where p.extension = e.extension and p.endpoint = $1)
    )
order by e.extension
