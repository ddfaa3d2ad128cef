-- The audit trail: who did what to whom, when and from where. The service's role may add and read rows, and nothing else.
create table audit (
    audit_id     bigint generated always as identity primary key,
    at           timestamptz not null default now(),
    action       text not null check (action ~ '^[a-z_]+([.][a-z_]+)*$' and length(action) <= 60),
    -- `database` is a role that changed a table with SQL of its own
    actor_kind   text not null check (actor_kind in ('person', 'command_line', 'service', 'database', 'unknown')),
    -- no foreign key: both stay after the user is deleted
    actor_id     bigint,
    actor        text check (length(actor) <= 400),
    subject_kind text check (subject_kind ~ '^[a-z_]{1,30}$'),
    subject_id   bigint,
    subject      text check (length(subject) <= 400),
    -- the client's address; for the command line the name of its machine
    address      text check (length(address) <= 100),
    request_id   text check (length(request_id) <= 64),
    -- above 1 in rows of several equal disclosures or refusals
    count        bigint not null default 1 check (count > 0),
    details      jsonb not null default '{}' check (jsonb_typeof(details) = 'object' and length(details::text) <= 4000)
);
create index audit_at on audit (at, audit_id);
create index audit_action on audit (action, at);
create index audit_actor on audit (actor, at);
create index audit_subject on audit (subject, at);

-- Retention: deletes at most `most` of the oldest rows from before a time, and returns their number. It does what whoever
-- calls it may do, and only the owner may delete.
create function forget_audit(before timestamptz, most integer) returns integer
language plpgsql set search_path = public, pg_temp as $$
declare
    forgotten integer;
begin
    if before > now() - interval '1 day' then
        raise exception 'the audit trail of the last day must be kept';
    end if;
    delete from audit
    where audit_id in (select a.audit_id from audit as a where a.at < before order by a.at, a.audit_id limit most);
    get diagnostics forgotten = row_count;
    return forgotten;
end $$;

-- Changes that a role makes with SQL of its own, such as an operator in psql: one row per statement, with its first keys.
-- The service audits its own changes with more context, so its role is left out: it is the one that may write `activity`
-- without being, or being able to become, the owner. What a trigger changes further is part of the statement; what a foreign key changes has a row of its own.
-- Each trigger names the kind of the subject and its table's key; `details` holds no other value of a row.
create function audit_sql() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
declare
    changed jsonb[];
    number bigint;
    sole jsonb;
begin
    if pg_trigger_depth() > 1
        or current_setting('application_name') in ('asterisk-connector migrate', 'asterisk-connector secrets')
        or (
            has_table_privilege(session_user, 'activity', 'insert')
            and not pg_has_role(session_user, (select relowner from pg_class where oid = 'audit'::regclass), 'member')
        )
    then
        return null;
    end if;
    if tg_op = 'INSERT' then
        select array_agg(to_jsonb(r)) filter (where n <= 20), count(*) into changed, number
        from (select a, row_number() over () as n from after_rows as a) as r_ (r, n);
    elsif tg_op = 'DELETE' then
        select array_agg(to_jsonb(r)) filter (where n <= 20), count(*) into changed, number
        from (select b, row_number() over () as n from before_rows as b) as r_ (r, n);
    elsif tg_op = 'UPDATE' then
        select array_agg(r) filter (where n <= 20), count(*) into changed, number
        from (
            select r, row_number() over () as n
            from (select to_jsonb(a) from after_rows as a except select to_jsonb(b) from before_rows as b) as d (r)
        ) as r_ (r, n);
    end if;
    if number = 0 then
        return null;
    end if;
    if number = 1 then
        sole := changed[1];
    end if;
    insert into audit (
        action, actor_kind, actor, subject_kind, subject_id, subject, address, count, details
    )
    values (
        tg_argv[0] || case tg_op when 'INSERT' then '.created' when 'UPDATE' then '.updated' else '.deleted' end,
        'database', session_user, tg_argv[0],
        (sole ->> case tg_argv[0] when 'phone' then 'phone_id' when 'extension' then '' else 'user_id' end)::bigint,
        left(sole ->> tg_argv[1], 400),
        coalesce(host(inet_client_addr()), 'local socket'), coalesce(number, 1),
        jsonb_strip_nulls(jsonb_build_object(
            'statement', lower(tg_op collate "C"),
            'keys', case when number > 1 then (select jsonb_agg(left(c ->> tg_argv[1], 80)) from unnest(changed) as c) end
        ))
    );
    return null;
end $$;

create trigger audit_insert after insert on users referencing new table as after_rows
    for each statement execute function audit_sql('user', 'name');
create trigger audit_update after update on users referencing old table as before_rows new table as after_rows
    for each statement execute function audit_sql('user', 'name');
create trigger audit_delete after delete on users referencing old table as before_rows
    for each statement execute function audit_sql('user', 'name');
create trigger audit_truncate after truncate on users
    for each statement execute function audit_sql('user', 'name');

create trigger audit_insert after insert on tokens referencing new table as after_rows
    for each statement execute function audit_sql('token', 'label');
create trigger audit_update after update on tokens referencing old table as before_rows new table as after_rows
    for each statement execute function audit_sql('token', 'label');
create trigger audit_delete after delete on tokens referencing old table as before_rows
    for each statement execute function audit_sql('token', 'label');
create trigger audit_truncate after truncate on tokens
    for each statement execute function audit_sql('token', 'label');

create trigger audit_insert after insert on extensions referencing new table as after_rows
    for each statement execute function audit_sql('extension', 'extension');
create trigger audit_update after update on extensions referencing old table as before_rows new table as after_rows
    for each statement execute function audit_sql('extension', 'extension');
create trigger audit_delete after delete on extensions referencing old table as before_rows
    for each statement execute function audit_sql('extension', 'extension');
create trigger audit_truncate after truncate on extensions
    for each statement execute function audit_sql('extension', 'extension');

create trigger audit_insert after insert on phones referencing new table as after_rows
    for each statement execute function audit_sql('phone', 'endpoint');
create trigger audit_update after update on phones referencing old table as before_rows new table as after_rows
    for each statement execute function audit_sql('phone', 'endpoint');
create trigger audit_delete after delete on phones referencing old table as before_rows
    for each statement execute function audit_sql('phone', 'endpoint');
create trigger audit_truncate after truncate on phones
    for each statement execute function audit_sql('phone', 'endpoint');
