-- name: admins
-- The active admins. Whoever takes one away looks at them first, and so waits for whoever does so at the same moment.
select user_id from users where user_type = 'admin' and active order by user_id for no key update

-- name: taken
-- Whether somebody but $1 has a name, an e-mail with this key.
select
    coalesce(bool_or(folded(name) = $2), false) as name,
    coalesce(bool_or(folded(email) = $3), false) as email
from users
where user_id is distinct from $1 and (folded(name) = $2 or folded(email) = $3)

-- name: change
-- Sets the fields that the JSON object has, and leaves the others, also those that somebody else sets at the same moment.
-- Nobody has proved that another e-mail is the person's.
update users as u
set (
    name, email, passwd, user_type, active, first_name, last_name, fullname, carrier_name, default_mod, default_mod2,
    reseller_id, outbound_report, client_limits, role_id, role_name, all_termination, report_fields, client, client_id,
    agent, report_count, report_group, cdr_expire, cdr_api_token, is_preload, landing_page, avatar_id, auth_ip,
    default_billing_decimal, card_id, show_carrier_trunk_drop_only, email_verified
) = (
    select
        n.name, n.email, n.passwd, n.user_type, n.active, n.first_name, n.last_name, n.fullname, n.carrier_name,
        n.default_mod, n.default_mod2, n.reseller_id, n.outbound_report, n.client_limits, n.role_id, n.role_name,
        n.all_termination, n.report_fields, n.client, n.client_id, n.agent, n.report_count, n.report_group,
        n.cdr_expire, n.cdr_api_token, n.is_preload, n.landing_page, n.avatar_id, n.auth_ip,
        n.default_billing_decimal, n.card_id, n.show_carrier_trunk_drop_only,
        u.email_verified and n.email is not distinct from u.email
    from jsonb_populate_record(u, $2::jsonb) as n
)
where u.user_id = $1
returning u.user_id

-- name: delete
delete from users where user_id = $1 returning name
