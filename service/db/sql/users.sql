-- name: get
-- One user for GET /user/{user_id}: the contract's fields in its order.
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

-- name: find_login
-- The user whose name or e-mail has this folded key, with password hash and networks. At most one row: a name has no '@',
-- an e-mail has one.
select
    user_id, uid, name, user_type, active, fullname, first_name, last_name, email, email_verified, passwd, auth_ip
from users
where folded(name) = $1 or folded(email) = $1

-- name: find_person
-- The users with this user_id, uid, or folded name or e-mail; null matches no user.
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

-- name: keep_device_urls
-- For this transaction: see migration 0026.
select set_config('connector.keep_device_urls', 'on', true)

-- name: activate
update users set active = true where user_id = $1 returning user_id

-- name: set_auth_ip
update users set auth_ip = $2 where user_id = $1 returning user_id

-- name: summary
-- One user for an operator: without the password hash, with the number of unexpired tokens.
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
-- Merges a batch of activity; the newer value of each column wins. Rows are locked in one order, so that replicas cannot
-- deadlock. `for key share` prevents a concurrent deletion before the foreign key is checked.
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
