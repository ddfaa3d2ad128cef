-- name: lock_admins
-- Locks the active admins, so that concurrent removals of admins are serialised.
select user_id from users where user_type = 'admin' and active order by user_id for no key update

-- name: find_taken
-- Whether a user other than $1 has a name or e-mail with these folded keys.
select
    coalesce(bool_or(folded(name) = $2), false) as name,
    coalesce(bool_or(folded(email) = $3), false) as email
from users
where user_id is distinct from $1 and (folded(name) = $2 or folded(email) = $3)

-- name: change
-- Sets the fields of the JSON object and leaves all others, including concurrent changes to them.
-- A new e-mail is unverified.
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
