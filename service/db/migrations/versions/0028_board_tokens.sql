-- Tokens of a narrower scope, for screens on a wall, and the codes by which they are handed over.

-- `all`: whatever the role of its user allows. `board`: states and names, read only.
alter table tokens add column scope text not null default 'all' check (scope in ('all', 'board'));

-- A code is typed on a screen, and makes one token with the scope `board` of the admin who made the code. Only its SHA-256 is
-- stored; whoever redeems or sweeps it deletes the row.
create table board_codes (
    code_hash  bytea primary key check (length(code_hash) = 32),
    user_id    bigint not null references users on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- of the token; those of logins are kept apart, as their oldest tokens end above a limit
    label      text not null check (label not in ('login', 'auth') and length(label) <= 80),
    unique (user_id, code_hash) -- finds those of an admin
);

-- What ends the tokens of a person ends their codes, and so does another role: only admins hand out boards.
create function end_board_codes() returns trigger language plpgsql
security definer set search_path = public, pg_temp as $$
begin
    delete from board_codes where user_id = new.user_id;
    return null;
end $$;
create trigger end_board_codes after update on users for each row
    when (old.active and not new.active or old.passwd <> new.passwd or old.user_type <> new.user_type)
    execute function end_board_codes();
