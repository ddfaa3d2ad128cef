-- name: is_imported
select credentials <> 'managed' from call_servers where name = $1

-- name: lock
select call_server from extensions where extension = $1 for no key update

-- name: unrevoked
-- Phones of an extension or of a user's, on call servers whose Asterisk owns them; without those that it no longer has.
select p.call_server, p.endpoint
from phones as p
join extensions as e using (extension)
join call_servers as c on c.name = p.call_server
where (e.extension = $1 or e.user_id = $2)
    and p.missing_since is null
    and (c.credentials <> 'managed' or c.name = any($3::text[]))
order by e.extension, p.phone_id
limit 20

-- name: accepted
-- Phones of disabled extensions and inactive persons on an imported call server: its Asterisk lets them register.
select p.endpoint
from phones as p
join extensions as e using (extension)
left join users as u using (user_id)
where p.call_server = $1 and p.missing_since is null and not (e.enabled and coalesce(u.active, true))
order by p.endpoint
