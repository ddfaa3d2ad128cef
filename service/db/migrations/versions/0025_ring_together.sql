-- The phones of an extension ring together, and each of them calls as its extension. No row is read here, so the locks last for
-- a moment.

-- As in 0023, with the extension that the endpoint calls as.
create or replace view ps_endpoints with (security_barrier) as
select
    p.endpoint as id,
    p.endpoint as aors,
    concat_ws(',',
        case when p.password is not null then p.endpoint end,
        case when p.former_password is not null then p.former_auth end
    ) as auth,
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
    'no'::text as trust_id_inbound,
    'EXTENSION=' || p.extension as set_var
from own_phones as p
where p.password is not null or p.former_password is not null;

-- As in 0018, with what the dialplan dials for the number that an own phone's AOR is named by: `PJSIP/12342&PJSIP/12342.k3f9`.
-- No setting of an AOR is meant for that; Asterisk uses `voicemail_extension` for nothing but message waiting, which the
-- configuration does not load (docs/decisions/0034). Asterisk reads each AOR by itself when it boots, so the view must stay cheap
-- to plan. Phones of one extension are live together.
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
    null::text as contact,
    case when p.endpoint = p.extension then (
        select string_agg('PJSIP/' || o.endpoint, '&' order by o.endpoint <> o.extension, o.phone_id)
        from phones as o
        where o.extension = p.extension
    ) end as voicemail_extension
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';
