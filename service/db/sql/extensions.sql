-- name: in_use
-- All extensions that an Asterisk can see.
select call_server, extension from live_extensions order by call_server, extension

-- name: create
insert into extensions (extension, secret, call_server, profile) values ($1, $2, $3, $4)

-- name: assign
-- Gives a free extension to a user. No row: there is no such extension or user, or it is somebody else's.
-- The user is locked, so that one person is given one extension at a time.
with person as (select user_id from users where user_id = $2 for no key update)
update extensions as e set user_id = person.user_id
from person
where e.extension = $1 and (e.user_id is null or e.user_id = person.user_id)
returning e.extension

-- name: person_by_uid
-- Locked, so that one person is given one extension at a time; their tokens may still come and go.
select user_id, name from users where uid = $1 for no key update

-- name: person_by_name
select user_id, name from users where folded(name) = $1 for no key update

-- name: holder
-- Locked, so that it is given away once.
select user_id from extensions where extension = $1 for update

-- name: free_others
update extensions set user_id = null where user_id = $1 and extension <> $2 returning extension

-- name: give
update extensions set user_id = $2 where extension = $1

-- name: take
update extensions as e set user_id = null
from users as u
where u.user_id = e.user_id and folded(u.name) = $1
returning u.uid, u.name as username, e.extension

-- name: unassign
update extensions set user_id = null where extension = $1 returning extension

-- name: rotate
update extensions set secret = $2 where extension = $1 returning extension

-- name: set_enabled
update extensions set enabled = $2 where extension = $1 returning extension

-- name: change
-- Sets what is not null.
update extensions
set profile = coalesce($2, profile), enabled = coalesce($3, enabled), secret = coalesce($4, secret)
where extension = $1

-- name: one
select e.extension, e.call_server, e.profile, e.enabled, u.uid, u.name as username
from extensions as e
left join users as u using (user_id)
where e.extension = $1

-- name: delete
delete from extensions where extension = $1 returning extension

-- name: list
select e.extension, e.call_server, e.profile, e.enabled, u.name as user_name
from extensions as e
left join users as u using (user_id)
order by e.extension

-- name: exists
select
    exists (select from extensions where extension = $1) as extension,
    exists (select from users where user_id = $2) as person
