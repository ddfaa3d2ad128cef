-- name: names
-- Names of an extension's phones and person, which a guesser tries.
select
    e.extension, e.local_number, u.name, u.fullname, u.first_name, u.last_name, split_part(u.email, '@', 1) as email,
    array(select p.auth_username from phones as p where p.extension = e.extension) as usernames
from extensions as e
left join users as u using (user_id)
where e.extension = $1

-- name: phones
-- Every SIP password that this session can open, with the names around it.
select
    p.call_server, p.endpoint, opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server) as secret,
    e.extension, e.local_number, u.name, u.fullname, u.first_name, u.last_name, split_part(u.email, '@', 1) as email,
    array[p.auth_username] as usernames
from phones as p
join extensions as e using (extension)
left join users as u using (user_id)
where p.missing_since is null
order by p.call_server, p.endpoint
