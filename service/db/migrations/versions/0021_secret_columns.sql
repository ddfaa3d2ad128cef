-- A phone's secret may be encrypted ("sealed"), and the one before it may stay valid for a while. The locks last for a moment:
-- no column has a value yet.
alter table phones
    -- null: it is sealed, or it has ended and there is none yet
    alter column secret drop not null,
    add column sealed bytea,
    -- the name of the key, see `call_servers.secrets_key`
    add column sealed_with text,
    -- the secret before this one, until a routine rotation's overlap ends
    add column former_secret text,
    add column former_sealed bytea,
    add column former_sealed_with text,
    add column former_until timestamptz,
    add constraint phones_one_secret check (secret is null or sealed is null) not valid,
    add constraint phones_sealed_with check ((sealed is null) = (sealed_with is null)) not valid,
    add constraint phones_former_sealed_with check ((former_sealed is null) = (former_sealed_with is null)) not valid;

-- The name of the key that seals the secrets of a call server's phones: the first 8 digits of its SHA-256. Null: not sealed.
alter table call_servers add column secrets_key text check (secrets_key ~ '^[0-9a-f]{8}$');
