-- name: get
-- One user as GET /user/{user_id} shows it: the columns are the seed's fields, in its order.
select
    u.user_id, u.passwd, u.user_type, u.active, u.carrier_name, u.default_mod, u.reseller_id, u.outbound_report,
    u.client_limits, u.last_name, u.role_id, a.last_login_time, u.all_termination, u.report_fields, u.client,
    u.report_count, u.name, u.first_name, u.cdr_expire, u.is_preload, u.landing_page, a.login_ip, u.default_mod2,
    u.avatar_id, u.create_user_id, u.create_time, u.agent, u.report_group, u.auth_ip, u.default_billing_decimal,
    u.card_id, u.email, a.last_seen, u.role_name, u.client_id, u.fullname, u.cdr_api_token,
    u.show_carrier_trunk_drop_only
from users as u
left join activity as a using (user_id)
where u.user_id = $1

-- name: by_login
-- The person whose name or e-mail has this key, and what a login is compared with. A name holds no '@', an e-mail does.
select
    user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified, passwd, auth_ip
from users
where folded(name) = $1 or folded(email) = $1

-- name: find
-- Whoever has this user_id, this uid, or a name or an e-mail with this key; null: nobody.
select user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified
from users
where user_id = $1 or uid = $2 or folded(name) = $3 or folded(email) = $4
order by user_id

-- name: login_addresses
select user_id, login_ip, last_login_time
from activity
where last_login_time > $1 and login_ip is not null
order by last_login_time desc
limit $2

-- name: create
insert into users (name, email, passwd, user_type, first_name, last_name, uid, create_user_id)
values ($1, $2, $3, $4, $5, $6, $7, $8)
returning user_id

-- name: set_password
update users set passwd = $2 where user_id = $1 returning user_id

-- name: activate
update users set active = true where user_id = $1 returning user_id

-- name: set_auth_ip
update users set auth_ip = $2 where user_id = $1 returning user_id

-- name: brief
-- One user for an operator: no password, and how many tokens have not expired.
select
    u.user_id, u.uid, u.name, u.user_type, u.active, u.email, u.fullname, u.first_name, u.last_name, u.auth_ip,
    u.create_time, a.last_login_time, a.login_ip, a.last_seen, e.extension, e.call_server,
    (select count(*) from tokens as t where t.user_id = u.user_id and t.expires_at > now()) as tokens
from users as u
left join activity as a using (user_id)
left join extensions as e using (user_id)
where u.user_id = $1

-- name: list
select u.user_id, u.uid, u.name, u.user_type, u.active, u.email, e.extension
from users as u
left join extensions as e using (user_id)
order by u.user_id

-- name: record_activity
-- What people did since the last batch; older news than what is stored changes nothing. One order for all replicas,
-- so that no two wait for each other; the lock keeps a person from being deleted before the foreign key looks.
insert into activity as a (user_id, last_seen, last_login_time, login_ip)
select n.user_id, n.last_seen, n.last_login_time, n.login_ip
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::text[])
    as n (user_id, last_seen, last_login_time, login_ip)
join users as u using (user_id)
order by n.user_id
for key share of u
on conflict (user_id) do update set
    last_seen = greatest(a.last_seen, excluded.last_seen),
    login_ip = case
        when excluded.last_login_time >= coalesce(a.last_login_time, '-infinity') then excluded.login_ip
        else a.login_ip
    end,
    last_login_time = greatest(a.last_login_time, excluded.last_login_time)
