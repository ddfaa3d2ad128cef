-- Asterisk reads phones instead of extensions. No row is read here, so the locks last for a moment.

-- Phones that may register: of an enabled extension, and of nobody or of an active person.
create view live_phones as
select
    p.phone_id, p.call_server, p.endpoint, p.extension, p.auth_username, p.secret, p.profile,
    coalesce(
        nullif(u.fullname, ''),
        nullif(concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')), ''),
        u.name
    ) as person_name
from phones as p
join extensions as e on e.extension = p.extension
left join users as u on u.user_id = e.user_id
where e.enabled and (e.user_id is null or u.active);

create or replace view ps_endpoints with (security_barrier) as
select
    p.endpoint as id,
    p.endpoint as aors,
    p.endpoint as auth,
    'extensions'::text as context,
    'g722,ulaw,alaw'::text as allow,
    'all'::text as disallow,
    'no'::text as direct_media,
    'yes'::text as rewrite_contact,
    'yes'::text as rtp_symmetric,
    'yes'::text as force_rport,
    case p.profile when 'webrtc' then 'yes' else 'no' end as webrtc,
    case p.profile when 'webrtc' then 'yes' else 'no' end as dtls_auto_generate_cert,
    replace(replace(caller_id(p.extension, p.person_name), '^', '^5E'), ';', '^3B') as callerid,
    'no'::text as trust_id_inbound
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';

create or replace view ps_auths with (security_barrier) as
select
    p.endpoint as id,
    'userpass'::text as auth_type,
    replace(replace(replace(p.auth_username, '^', '^5E'), ';', '^3B'), ' ', '^20') as username,
    replace(replace(replace(p.secret, '^', '^5E'), ';', '^3B'), ' ', '^20') as password
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';

create or replace view ps_aors with (security_barrier) as
select
    p.endpoint as id,
    1 as max_contacts,
    'yes'::text as remove_existing,
    15 as qualify_frequency,
    '3.0'::text as qualify_timeout,
    60 as minimum_expiration,
    120 as default_expiration,
    300 as maximum_expiration,
    'yes'::text as support_path,
    null::text as contact
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';

-- An imported extension may have no own phone.
alter table extensions alter column secret drop not null;
