-- The SIP phones of a call server whose transport is TLS encrypt their media: SRTP, with keys in the SDP (SDES), which TLS hides.
-- The column has a constant default, so no row is rewritten, and the views read no row here: the locks last for a moment.
-- `migrate` writes the column. The release before neither reads nor writes it.

alter table call_servers add column sip_transport text not null default 'udp' check (sip_transport in ('udp', 'tcp', 'tls'));

-- As in 0023, with the transport of the call server.
create or replace view own_phones with (security_barrier) as
select
    p.endpoint, p.extension, p.auth_username, p.profile, p.person_name,
    opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server) as password,
    p.endpoint || '~' as former_auth,
    p.former_until,
    case when p.former_until > now() then
        opened_secret(p.former_secret, p.former_sealed, p.former_sealed_with, p.call_server)
    end as former_password,
    c.sip_transport
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';

-- As in 0025, with the encryption of media. Null is no option to Asterisk: `webrtc` brings DTLS-SRTP, and the rest stays plain.
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
    'EXTENSION=' || p.extension as set_var,
    case when p.profile = 'sip' and p.sip_transport = 'tls' then 'sdes'::text end as media_encryption
from own_phones as p
where p.password is not null or p.former_password is not null;
