-- When extensions were registered: transitions only, of 30 days. Of all processes that follow a call server one writes them.

-- The process that writes, until its lease ends, and up to when everything is stored. `term` grows with each change of the process.
create table registration_writers (
    call_server    text primary key references call_servers on update cascade on delete cascade,
    holder         uuid not null,
    term           bigint not null default 1,
    held_until     timestamptz not null,
    observed_until timestamptz
);

-- When a call server's registrations were observed. At all other times they were not: no link, no service, no memory left.
create table registration_observations (
    call_server text not null references call_servers on update cascade on delete cascade,
    since       timestamptz not null,
    until       timestamptz not null check (until >= since),
    primary key (call_server, since)
);

-- null: neither is known from then on. `exact` is false if it was found so, and changed at an unknown time before.
create table registration_changes (
    extension  text not null references extensions on update cascade on delete cascade,
    at         timestamptz not null,
    registered boolean,
    exact      boolean not null,
    primary key (extension, at),
    unique (at, extension) -- finds the oldest
);

-- Changes beyond the limit of a day, in UTC: only counted.
create table registration_overflows (
    extension text not null references extensions on update cascade on delete cascade,
    day       date not null,
    left_out  bigint not null check (left_out > 0),
    primary key (extension, day)
);
