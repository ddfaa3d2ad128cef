-- name: of_call_server
-- All extensions that a call server's Asterisk can see.
select extension from live_extensions where call_server = $1 order by extension

-- name: create
insert into extensions (extension, secret, call_server, profile) values ($1, $2, $3, $4)

-- name: assign
-- Gives a free extension to a user. No row: there is no such extension or user, or it is somebody else's.
update extensions set user_id = (select user_id from users where lower(name) = lower($2))
where extension = $1
    and exists (select from users where lower(name) = lower($2))
    and (user_id is null or user_id = (select user_id from users where lower(name) = lower($2)))
returning extension

-- name: unassign
update extensions set user_id = null where extension = $1 returning extension

-- name: rotate
update extensions set secret = $2 where extension = $1 returning extension

-- name: set_enabled
update extensions set enabled = $2 where extension = $1 returning extension

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
    exists (select from users where lower(name) = lower($2)) as person
