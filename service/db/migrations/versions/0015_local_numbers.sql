-- What the phones of the next revisions refer to.

-- Whether Asterisk reads its endpoints from our views (`managed`), or owns them and we hold copies (`imported`).
-- `migrate` writes it from the settings.
alter table call_servers
    add column credentials text not null default 'managed' check (credentials in ('managed', 'imported'));

-- The number under which its Asterisk dials an extension that was imported with a prefix; null if it is the same.
alter table extensions add column local_number text check (local_number ~ '^[A-Za-z0-9_-]{1,40}$');
