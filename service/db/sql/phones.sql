-- name: find_user
-- By uid, or by the folded name.
select user_id from users where uid = $1::text or folded(name) = $2::text

-- name: lock_extension_of_user
-- Locks the extension of a user, as everyone does who writes phones.
select extension from extensions where user_id = $1 for no key update

-- name: owner
-- The locked extension and its user as they are now: a lock is waited for, and its statement sees what was before.
select
    e.call_server, e.enabled, u.name as username, u.active,
    (select count(*) from phones as p where p.extension = e.extension) as phones
from extensions as e
join users as u using (user_id)
where e.extension = $1

-- name: create
-- No row: a phone has this endpoint, or had it as far back as the audit trail goes. The extension is locked.
insert into phones (call_server, endpoint, extension, auth_username, secret, profile, kind, label)
select $1, $2, $3, $2, $4, $5, $6, $7
where not exists (select from audit where subject = $2)
on conflict (call_server, endpoint) do nothing
returning phone_id

-- name: lock_phone
-- Locks the extension of a phone, as everyone does who writes phones.
select e.extension, e.call_server, e.user_id, p.endpoint, p.endpoint = coalesce(e.local_number, e.extension) as is_own
from extensions as e
join phones as p using (extension)
where p.phone_id = $1
for no key update of e

-- name: delete
delete from phones where phone_id = $1 returning phone_id

-- name: get
select
    p.phone_id, p.kind, p.label, p.extension, p.call_server, p.endpoint, p.created_at, u.uid, u.name as username,
    a.last_fetched_at, a.last_fetched_from
from phones as p
join extensions as e using (extension)
left join users as u using (user_id)
left join phone_activity as a using (phone_id)
where p.phone_id = $1

-- name: of_user
select
    p.phone_id, p.kind, p.label, p.extension, p.call_server, p.endpoint, p.created_at, u.uid, u.name as username,
    a.last_fetched_at, a.last_fetched_from
from phones as p
join extensions as e using (extension)
join users as u using (user_id)
left join phone_activity as a using (phone_id)
where e.user_id = $1
order by p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id

-- name: list
-- The phones of an extension, or all if $1 is null.
select
    p.phone_id, p.kind, p.label, p.extension, p.call_server, p.endpoint, p.created_at, u.uid, u.name as username,
    a.last_fetched_at, a.last_fetched_from
from phones as p
join extensions as e using (extension)
left join users as u using (user_id)
left join phone_activity as a using (phone_id)
where p.extension = $1::text or $1::text is null
order by p.extension, p.endpoint <> coalesce(e.local_number, e.extension), p.phone_id
