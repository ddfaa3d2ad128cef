-- name: lease
-- Take or extend the lease of a call server's writer for $3 seconds. No row if another process holds it, or if PostgreSQL does not
-- know the call server.
insert into registration_writers as w (call_server, holder, held_until)
select name, $2::uuid, now() + make_interval(secs => $3) from call_servers where name = $1
on conflict (call_server) do update
set
    holder = excluded.holder,
    held_until = excluded.held_until,
    term = w.term + case when w.holder = excluded.holder then 0 else 1 end
where w.holder = excluded.holder or w.held_until < now()
returning term

-- name: observed_age
-- Seconds since the moment up to which everything is stored.
select extract(epoch from now() - observed_until)::float8 from registration_writers where call_server = $1

-- name: release
update registration_writers set held_until = now() where call_server = $1 and holder = $2

-- name: last_values
-- The last stored value of each extension that has one, in pages: $3 after the extension $2.
select e.extension, c.registered
from extensions as e
cross join lateral (
    select r.registered from registration_changes as r where r.extension = e.extension order by r.at desc limit 1
) as c
where e.call_server = $1 and e.extension > $2
order by e.extension
limit $3

-- name: store
-- Changes by their age in seconds. Returns the extensions of those that a day has no room for ($5 a day); they are counted.
with given as (
    select g.extension, now() - make_interval(secs => g.age) as at, g.registered, g.exact
    from unnest($1::text[], $2::float8[], $3::boolean[], $4::boolean[]) as g (extension, age, registered, exact)
    join extensions using (extension)
),
numbered as (
    select g.*, d.day, row_number() over (partition by g.extension, d.day order by g.at) + (
        select count(*)
        from registration_changes as c
        where c.extension = g.extension and c.at >= d.day at time zone 'UTC' and c.at < (d.day + 1) at time zone 'UTC'
    ) as number
    from given as g
    cross join lateral (select (g.at at time zone 'UTC')::date as day) as d
),
kept as (
    insert into registration_changes (extension, at, registered, exact)
    select extension, at, registered, exact from numbered where number <= $5
    on conflict do nothing
),
counted as (
    insert into registration_overflows as o (extension, day, left_out)
    select extension, day, count(*) from numbered where number > $5 group by extension, day
    on conflict (extension, day) do update set left_out = o.left_out + excluded.left_out
)
select distinct extension from numbered where number > $5

-- name: observe
-- An observation by the ages of its begin and end: it extends the last one that it touches, or is a new one. Ages are measured by
-- two clocks, so a tenth of a second is no gap.
with extended as (
    update registration_observations
    set until = greatest(until, now() - make_interval(secs => $3))
    where call_server = $1
        and since = (select max(since) from registration_observations where call_server = $1)
        and until >= now() - make_interval(secs => $2 + 0.1)
    returning 1
)
insert into registration_observations (call_server, since, until)
select $1, now() - make_interval(secs => $2), now() - make_interval(secs => $3)
where not exists (select from extended)
on conflict (call_server, since) do update set until = greatest(registration_observations.until, excluded.until)

-- name: observed_until
update registration_writers
set observed_until = greatest(observed_until, now() - make_interval(secs => $2))
where call_server = $1

-- name: forget
-- Rows that are older than $1 days: $2 changes at most, so that a statement is short.
with old as (
    delete from registration_changes
    where ctid = any(array(
        select ctid from registration_changes where at < now() - make_interval(days => $1) order by at limit $2
    ))
), observations as (
    delete from registration_observations where until < now() - make_interval(days => $1)
)
delete from registration_overflows where day < (now() - make_interval(days => $1))::date

-- name: changes
-- Changes of an extension within $2 days, and before them the last one, oldest first.
select at, registered, exact from (
    (
        select at, registered, exact from registration_changes
        where extension = $1 and at >= now() - make_interval(days => $2)
    )
    union all
    (
        select at, registered, exact from registration_changes
        where extension = $1 and at < now() - make_interval(days => $2)
        order by at desc limit 1
    )
) as found
order by at

-- name: observations
-- The newest observations that overlap with $2 days, $3 at most, and the present time.
select o.since, o.until, now() as now
from (select now()) as n
left join lateral (
    select since, until from registration_observations
    where call_server = $1 and until >= now() - make_interval(days => $2)
    order by since desc limit $3
) as o on true
order by o.since

-- name: overflows
select day, left_out from registration_overflows
where extension = $1 and day >= ((now() at time zone 'UTC') - make_interval(days => $2))::date
order by day
