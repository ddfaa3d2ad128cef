-- A bound for the tokens of one person.

-- Issues a token to an active person and ends the oldest of theirs, so that `most` are left. Tokens with a label other than
-- a login's are neither counted nor ended: an operator issued them. Returns false where there is no such person.
-- The row of the person is locked first, so each statement here sees what others who issue to them have committed.
create function issue_token(hash bytea, person bigint, until timestamptz, label text, most integer)
returns boolean language plpgsql as $$
begin
    perform from users where user_id = person and active for no key update;
    if not found then
        return false;
    end if;
    delete from tokens
    where token_hash in (
        select t.token_hash
        from tokens as t
        where t.user_id = person and t.label in ('login', 'auth') and t.expires_at > now()
        order by t.created_at desc, t.token_hash
        offset most - 1
    );
    insert into tokens (token_hash, user_id, expires_at, label) values (hash, person, until, label);
    return true;
end $$;

-- It does what whoever calls it may do. Where the owner grants nothing by default, the service could not call it.
grant execute on function issue_token(bytea, bigint, timestamptz, text, integer) to public;
