-- transaction: no

-- One person per key of a name and of an e-mail (0003). Computing the keys of 20,000 people takes seconds where names are
-- not in ASCII, so the indexes are built beside the writes.

drop index concurrently if exists users_folded_name_key;
drop index concurrently if exists users_folded_email_key;

-- People who were two until now: somebody must decide who is called what. Whoever becomes a second one after this look
-- makes the index fail, and is named by the next run.
do $$
declare
    same text;
begin
    select string_agg(people, '; ') into same from (
        select string_agg(format('%s %s', user_id, coalesce(name, email)), ', ' order by user_id) as people
        from (
            select user_id, name, null as email, 'name ' || folded(name) as key from users
            union all
            select user_id, null, email, 'email ' || folded(email) from users where email is not null
        ) as named
        group by key
        having count(*) > 1
        order by min(user_id)
        limit 20
    ) as groups;
    if same is not null then
        raise unique_violation using message = 'names and e-mails that differ only in case, composition, joiners or the '
            'dots of i are one person''s from this release on, and these users (user_id, name or e-mail) share one: ' || same || '. Give all but one of each another name or e-mail, then migrate again';
    end if;
end $$;

-- Those on lower() stay for the release before, and go with the first that needs this one.
create unique index concurrently users_folded_name_key on users (folded(name));
create unique index concurrently users_folded_email_key on users (folded(email));
