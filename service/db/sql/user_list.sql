-- name: page
-- One page of users and the total, from one snapshot. $1 to $3 and $11 filter; null means any. $4 to $7 are this
-- process's unwritten activity, in the form of `record_activity`. A user seen after $8 is online.
-- An empty page is one row that holds only the total.
-- The comment `order` is replaced by the sort order. Ties are broken by user_id, so that pages do not overlap.
with pending as (
    select p.user_id, p.last_seen, p.last_login_time, p.login_ip
    from unnest($4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[])
        as p (user_id, last_seen, last_login_time, login_ip)
),
known as not materialized (
    select
        u.user_id, u.passwd, u.user_type, u.active, u.carrier_name, u.default_mod, u.reseller_id, u.outbound_report,
        u.client_limits, u.last_name, u.role_id, greatest(a.last_login_time, p.last_login_time) as last_login_time,
        u.all_termination, u.report_fields, u.client, u.report_count, u.name, u.first_name, u.cdr_expire, u.is_preload,
        u.landing_page,
        case when p.last_login_time >= coalesce(a.last_login_time, '-infinity') then p.login_ip else a.login_ip end as login_ip,
        u.default_mod2, u.avatar_id, u.create_user_id, u.create_time, u.agent, u.report_group, u.auth_ip,
        u.default_billing_decimal, u.card_id, u.email, greatest(a.last_seen, p.last_seen) as last_seen,
        case when greatest(a.last_seen, p.last_seen) > $8 then 1 else 2 end as is_online, u.role_name, u.client_id,
        u.fullname, u.cdr_api_token, u.show_carrier_trunk_drop_only
    from users as u
    left join activity as a using (user_id)
    left join pending as p using (user_id)
),
found as not materialized (
    select *
    from known
    where ($1::text is null or user_type = $1)
        and ($2::boolean is null or active = $2)
        and ($3::integer is null or is_online = $3)
        and (
            $11::text is null
            or strpos(folded(left(concat_ws(E'\n', name, email, fullname, concat_ws(' ', first_name, last_name)), 2000)), $11) > 0
        )
)
select (select count(*) from found) as total, item.*
from (values (true)) as always
left join (select * from found order by /* order */ user_id limit $9 offset $10) as item on true
order by /* order */ user_id
