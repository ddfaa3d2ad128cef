-- transaction: no

-- Keys of extensions that phones and imports need: the call server of a number, and one extension per number of a call server.

drop index concurrently if exists extensions_number_call_server;
drop index concurrently if exists extensions_local_number;

create unique index concurrently extensions_number_call_server on extensions (extension, call_server);
create unique index concurrently extensions_local_number on extensions (call_server, coalesce(local_number, extension));
