-- name: uids
select uid from users

-- name: is_demo
-- Whether the two users of the contract's examples exist, with their ids.
select count(*) = 2 from users
where (user_id, uid) in ((1, '6vHSSqdBHdm2R4gfi'), (1795, 'ByehQjC44FwMeiLbX'))

-- name: is_here
select exists (select from users where uid = any($1::text[]))
    or exists (select from tokens where token_hash = $2 and expires_at > now())

-- name: users
insert into users (
    user_id, uid, name, email, email_verified, passwd, user_type, active, first_name, create_user_id, create_time,
    default_mod2, outbound_report, all_termination, report_fields, is_preload, landing_page, report_group,
    show_carrier_trunk_drop_only
)
values
    (1, '6vHSSqdBHdm2R4gfi', 'admin', 'admin@example.com', true, $1, 'admin', true, 'Ada', null,
        '2018-02-26T22:00:00+00:00', '', false, false, '', false, '', false, false),
    (1795, 'ByehQjC44FwMeiLbX', 'dnhai', 'dnhai@example.com', true, $2, 'agent', true, 'string', 1,
        '2018-02-26T22:39:43.438420+00:00', 'string', true, true, 'string', true, 'string', true, true),
    (1796, 'Sq7mWdXk3nPzT9cRb', 'agent2', 'agent2@example.com', true, $3, 'agent', true, 'Bea', 1,
        '2018-02-27T08:00:00+00:00', '', false, false, '', false, '', false, false),
    (1797, 'hT5rLwQ8vKz2fYj6N', 'nophone', 'nophone@example.com', false, $4, 'client', true, 'Cy', 1,
        '2018-02-27T08:00:01+00:00', '', false, false, '', false, '', false, false),
    (1798, 'aB4cDeF6gH8jKmN9p', 'inactive', 'inactive@example.com', false, $5, 'agent', false, 'Dee', 1,
        '2018-02-27T08:00:02+00:00', '', false, false, '', false, '', false, false)

-- name: sequence
select setval(pg_get_serial_sequence('users', 'user_id'), 1798)

-- name: token
insert into tokens (token_hash, user_id, expires_at, label) values ($1, 1, now() + interval '10 years', 'demo')

-- name: extensions
insert into extensions (extension, secret, call_server, profile, user_id)
values ('12342', $2, $1, 'webrtc', 1795), ('12343', $3, $1, 'sip', 1796)
