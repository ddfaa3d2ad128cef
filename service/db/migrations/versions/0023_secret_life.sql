-- How a secret is sealed and opened, and what ends it: a new password, deactivation, unassignment, whoever causes them. Views of
-- Asterisk show an endpoint only with a secret that can be opened. No row is read here, so the locks last for a moment.

-- The keys are settings of each connection, outside of the database. A service has `connector.master_keys`, from which the key of
-- each call server is derived. An Asterisk has `connector.keys`, its own derived ones. Both are written `NAME:HEX,NAME:HEX`.
-- Null: this session has no such key. `service/domain/secret_keys.py` derives the same.
-- Each row that is opened calls it; a regular expression would take three times as long as all else.
create function key_of_secrets(call_server text, key_name text) returns text language plpgsql stable as $$
declare
    key text := split_part(split_part(',' || current_setting('connector.master_keys', true), ',' || key_name || ':', 2), ',', 1);
    is_master constant boolean := key <> '';
begin
    if is_master is not true then
        key := split_part(split_part(',' || current_setting('connector.keys', true), ',' || key_name || ':', 2), ',', 1);
    end if;
    if length(key) = 64 and translate(key, '0123456789abcdef', '') = '' then
        if is_master then
            return encode(public.hmac(convert_to(call_server, 'UTF8'), decode(key, 'hex'), 'sha256'), 'hex');
        end if;
        return key;
    end if;
    return null;
end $$;

-- Seals a secret. The key is random, so it needs no stretching (`s2k-mode=1`).
create function sealed_secret(secret text, call_server text, key_name text) returns bytea language plpgsql as $$
declare
    key constant text := key_of_secrets(call_server, key_name);
begin
    if key is null then
        raise exception using
            message = format('SIP passwords of call server %s are encrypted, and this session lacks key %s', call_server, key_name),
            hint = 'set connector.master_keys for this connection, or set the secret to null: a service makes a new one';
    end if;
    return public.pgp_sym_encrypt(secret, key, 's2k-mode=1, cipher-algo=aes256, compress-algo=0');
end $$;

-- Opens a secret. Null if this session cannot: one row that cannot be opened must not fail a statement that reads others.
create function opened_secret(secret text, sealed bytea, sealed_with text, call_server text)
returns text language plpgsql stable as $$
begin
    if sealed is null then
        return secret;
    end if;
    return public.pgp_sym_decrypt(sealed, key_of_secrets(call_server, sealed_with));
exception when others then
    return null;
end $$;

-- A secret that nobody knows: 32 characters, 122 random bits (baresip, for one, takes no more than 63 characters at its prompt).
-- Null if this session cannot seal it: then the phone has none, and a service makes one.
create function fresh_secret(call_server text) returns text language plpgsql as $$
declare
    key_name constant text := (select c.secrets_key from public.call_servers as c where c.name = call_server);
begin
    if key_name is not null and key_of_secrets(call_server, key_name) is null then
        return null;
    end if;
    return replace(gen_random_uuid()::text, '-', '');
end $$;

-- They do what whoever calls them may do. Where the owner grants nothing by default, no Asterisk could call them.
grant execute on function key_of_secrets(text, text), opened_secret(text, bytea, text, text) to public;
grant execute on function sealed_secret(text, text, text), fresh_secret(text) to public;

-- Keeps what belongs to a secret. Whoever writes `secret` gives a new one; null for both `secret` and `sealed` says that it has
-- ended. Together with a new `former_until` it is a routine rotation, whose overlap lasts until then; without, nothing overlaps.
-- Null for `former_until` ends the former secret, whether the present one changes or not.
-- Whoever writes `sealed` says that it is the same secret, sealed by another key.
create function keep_secret() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    key_name text;
    has_key boolean;
    moved boolean := false;
    had_one boolean;
    changed boolean := true;
    was text;
begin
    -- The lock lasts until the end of the transaction: `secrets rekey` changes the key once all who read the one before are done.
    select secrets_key into key_name from call_servers where name = new.call_server for share;
    has_key := key_name is not null and key_of_secrets(new.call_server, key_name) is not null;
    -- The table's own constraint does not see a secret that is sealed, and its error would show the row.
    if new.secret = '' or new.secret ~ '[[:cntrl:]]' or length(new.secret) > 80 then
        raise exception using
            errcode = 'check_violation', table = 'phones', constraint = 'phones_secret_check',
            message = 'a SIP password has 1 to 80 characters, and no control character';
    end if;
    if tg_op = 'UPDATE' then
        moved := new.call_server <> old.call_server;
        had_one := old.secret is not null or old.sealed is not null;
        if new.secret is null and new.sealed is distinct from old.sealed and new.sealed is not null and not moved then
            changed := false;
        elsif old.sealed is not null and (moved or new.secret is not null) then
            -- The same secret, given again or taken along to another call server, has not changed.
            was := opened_secret(null, old.sealed, old.sealed_with, old.call_server);
            new.secret := coalesce(new.secret, was);
            new.sealed := null;
            new.sealed_with := null;
            changed := was is null or new.secret <> was;
        else
            changed := new.secret is distinct from old.secret or (old.sealed is not null and new.sealed is null);
        end if;
        if changed and new.former_until > now() and new.former_until is distinct from old.former_until then
            new.former_secret := old.secret;
            new.former_sealed := old.sealed;
            new.former_sealed_with := old.sealed_with;
        elsif changed and had_one or moved or coalesce(new.former_until <= now(), true) then
            new.former_secret := null;
            new.former_sealed := null;
            new.former_sealed_with := null;
        end if;
        if new.former_secret is null and new.former_sealed is null then
            new.former_until := null;
        end if;
    end if;
    if key_name is not null and new.secret is not null and (changed or has_key) then
        new.sealed := sealed_secret(new.secret, new.call_server, key_name);
        new.sealed_with := key_name;
        new.secret := null;
    end if;
    if has_key and new.former_secret is not null then
        new.former_sealed := sealed_secret(new.former_secret, new.call_server, key_name);
        new.former_sealed_with := key_name;
        new.former_secret := null;
    end if;
    return new;
end $$;
create trigger keep_secret before insert or update on phones for each row execute function keep_secret();

-- A new password or a deactivation ends the secrets of all phones of a person, at once. The extension is locked first, as by
-- everyone who writes phones. A secret that Asterisk owns is not ours to change: a new one here would be refused there.
create function rotate_secrets_of_person() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    perform from extensions where user_id = new.user_id for no key update;
    update phones as p
    set secret = fresh_secret(p.call_server), sealed = null, sealed_with = null, former_until = null
    from extensions as e
    join call_servers as c on c.name = e.call_server and c.credentials = 'managed'
    where e.user_id = new.user_id and p.extension = e.extension;
    return null;
end $$;
create trigger rotate_secrets after update on users for each row
    when (old.active and not new.active or old.passwd <> new.passwd) execute function rotate_secrets_of_person();

-- Whoever loses an extension must not be able to go on with any secret of its phones.
create or replace function rotate_secret() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    update phones as p
    set secret = fresh_secret(p.call_server), sealed = null, sealed_with = null, former_until = null
    from call_servers as c
    where p.extension = new.extension and c.name = p.call_server and c.credentials = 'managed'
        -- unless the same statement gave it a new one
        and (p.endpoint <> p.extension or new.secret is not distinct from old.secret);
    return null;
end $$;
drop trigger rotate_secret on extensions;
create trigger rotate_secret after update on extensions for each row
    when (old.user_id is not null and new.user_id is distinct from old.user_id)
    execute function rotate_secret();

-- `secret` and `profile` of an extension are copied to its own phone only by a statement that changes them: the copy of a sealed
-- secret is null.
create or replace function copy_to_own_phone() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from after_rows) then  -- a statement that changes no row fires too: the two would go on for ever
        return null;
    end if;
    if tg_op = 'INSERT' then
        insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
        select call_server, extension, extension, extension, secret, profile from after_rows where secret is not null;
        return null;
    end if;
    update phones as p
    set secret = case when e.secret is distinct from b.secret then e.secret else p.secret end, profile = e.profile
    from after_rows as e
    join before_rows as b using (extension)
    where p.extension = e.extension and p.endpoint = e.extension and e.secret is not null
        and (e.secret is distinct from b.secret or e.profile <> b.profile)
        and (p.secret is distinct from e.secret or p.profile <> e.profile);
    return null;
end $$;
drop trigger copy_updated on extensions;
create trigger copy_updated after update on extensions
    referencing old table as before_rows new table as after_rows
    for each statement execute function copy_to_own_phone();

-- Phones that may register, as in 0018. `secret` is null if it is sealed.
create or replace view live_phones as
select
    p.phone_id, p.call_server, p.endpoint, p.extension, p.auth_username, p.secret, p.profile,
    coalesce(
        nullif(u.fullname, ''),
        nullif(concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')), ''),
        u.name
    ) as person_name,
    p.sealed, p.sealed_with, p.former_secret, p.former_sealed, p.former_sealed_with, p.former_until
from phones as p
join extensions as e on e.extension = p.extension
left join users as u on u.user_id = e.user_id
where e.enabled and (e.user_id is null or u.active);

-- The phones of the Asterisk that asks, with the secrets that its key opens. (`||` may leak, so it stands inside of the barrier.)
create view own_phones with (security_barrier) as
select
    p.endpoint, p.extension, p.auth_username, p.profile, p.person_name,
    opened_secret(p.secret, p.sealed, p.sealed_with, p.call_server) as password,
    p.endpoint || '~' as former_auth,
    p.former_until,
    case when p.former_until > now() then
        opened_secret(p.former_secret, p.former_sealed, p.former_sealed_with, p.call_server)
    end as former_password
from live_phones as p
join call_servers as c on c.name = p.call_server
where c.database_role = current_user and c.credentials = 'managed';

-- Asterisk asks no password of an endpoint without an auth, so such an endpoint has no row. Several auths are one challenge, and
-- each one's password opens it (measured).
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
    'no'::text as trust_id_inbound
from own_phones as p
where p.password is not null or p.former_password is not null;

create or replace view ps_auths with (security_barrier) as
select
    p.endpoint as id,
    'userpass'::text as auth_type,
    replace(replace(replace(p.auth_username, '^', '^5E'), ';', '^3B'), ' ', '^20') as username,
    replace(replace(replace(p.password, '^', '^5E'), ';', '^3B'), ' ', '^20') as password
from own_phones as p
where p.password is not null
union all
select
    p.former_auth as id,
    'userpass'::text as auth_type,
    replace(replace(replace(p.auth_username, '^', '^5E'), ';', '^3B'), ' ', '^20') as username,
    replace(replace(replace(p.former_password, '^', '^5E'), ';', '^3B'), ' ', '^20') as password
from own_phones as p
where p.former_until is not null and p.former_password is not null;
