-- Phones that set themselves up: the link that a person opens, and the URL that a phone reads at each start. Both are tokens, and
-- only their SHA-256 is stored. The locks on `phones` last for a moment: no row of it is read.
create table phone_setups (
    phone_id        bigint primary key,
    extension       text not null,
    -- the set-up link; null: there is none
    link_hash       bytea unique check (length(link_hash) = 32),
    link_expires_at timestamptz,
    fetches_left    smallint check (fetches_left between 0 and 9),
    -- the device's URL; null: nothing fetched it yet, or it has ended
    device_hash     bytea unique check (length(device_hash) = 32),
    check ((link_hash is null) = (link_expires_at is null) and (link_hash is null) = (fetches_left is null)),
    foreign key (extension, phone_id) references phones (extension, phone_id) on update cascade on delete cascade
);

create trigger notify_insert after insert on phone_setups referencing new table as after_rows
    for each statement execute function notify_change('extension', 'extension');
create trigger notify_update after update on phone_setups referencing old table as before_rows new table as after_rows
    for each statement execute function notify_change('extension', 'extension');
create trigger notify_delete after delete on phone_setups referencing old table as before_rows
    for each statement execute function notify_change('extension', 'extension');
create trigger notify_truncate after truncate on phone_setups
    for each statement execute function notify_change('extension', 'extension');

-- When phones fetched their configuration last. A table of its own: a fetch changes nothing that a process keeps in memory.
create table phone_activity (
    phone_id          bigint primary key references phones on delete cascade,
    last_fetched_at   timestamptz not null,
    last_fetched_from text check (length(last_fetched_from) <= 100)
);

-- What ends a secret without overlap ends the link and the URL that would tell the next one, whoever does it: a new password, a
-- deactivation, an unassignment, SQL by hand. Where `connector.keep_device_urls` is `on`, the URL stays: for `user passwd
-- --keep-phones`. A fetch makes a secret first, then writes the URL and what is left of the link.
create function end_setups() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    -- A rotation that overlaps, and the same secret under another key, end nothing.
    if new.former_until > now() and new.former_until is distinct from old.former_until
        or opened_secret(new.secret, new.sealed, new.sealed_with, new.call_server)
            = opened_secret(old.secret, old.sealed, old.sealed_with, old.call_server)
    then
        return null;
    end if;
    update phone_setups
    set
        link_hash = null, link_expires_at = null, fetches_left = null,
        device_hash = case when current_setting('connector.keep_device_urls', true) = 'on' then device_hash end
    where phone_id = new.phone_id and (link_hash is not null or device_hash is not null);
    return null;
end $$;
create trigger end_setups after update on phones for each row
    when (new.secret is distinct from old.secret or new.sealed is distinct from old.sealed)
    execute function end_setups();
