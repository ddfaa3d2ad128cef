-- name: keys
-- The keys of which a backup needs each, with the number of phones.
select name, count(distinct phone_id) as phones
from (
    select sealed_with as name, phone_id from phones where sealed is not null
    union all
    select former_sealed_with, phone_id from phones where former_sealed is not null
) as used
group by name
order by name

-- name: secrets
select count(*) filter (where secret is not null or former_secret is not null) as plain from phones

-- name: rows
select
    (select count(*) from users) as users,
    (select count(*) from tokens) as tokens,
    (select count(*) from extensions) as extensions,
    (select count(*) from phones) as phones,
    (select count(*) from audit) as audit

-- name: roles
select name, database_role from call_servers where database_role is not null order by name

-- name: contents
-- Up to three objects that somebody has created here, or null. What an extension of PostgreSQL brought does not count.
select string_agg(name, ', ')
from (
    select 'table ' || c.relname as name
    from pg_class as c
    where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relnamespace::regnamespace::text !~ '^(pg_|information_schema)'
        and not exists (select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    union all
    select 'function ' || p.proname
    from pg_proc as p
    where p.pronamespace::regnamespace::text !~ '^(pg_|information_schema)'
        and not exists (select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
    order by 1
    limit 3
) as found
