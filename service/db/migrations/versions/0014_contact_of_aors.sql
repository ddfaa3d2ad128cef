-- Asterisk's command line asks for AORs that have a contact in their configuration, as `pjsip show contacts` does. Ours
-- have none: phones register. Without the column each such question was an error in its log, and in ours.
-- The release before reads no view of these; a running Asterisk reads whatever columns there are.
create or replace view ps_aors with (security_barrier) as
select
    e.extension as id,
    1 as max_contacts,
    'yes'::text as remove_existing,
    15 as qualify_frequency,
    '3.0'::text as qualify_timeout,
    60 as minimum_expiration,
    120 as default_expiration,
    300 as maximum_expiration,
    'yes'::text as support_path,
    null::text as contact
from live_extensions as e
join call_servers as c on c.name = e.call_server
where c.database_role = current_user;
