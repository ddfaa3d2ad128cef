-- When the extensions of a call server were last imported: the time at which the import began to read. Replicas share it,
-- so that only one of them imports what all have heard of.
create table imports (
    call_server text primary key references call_servers on delete cascade,
    imported_at timestamptz not null
);
