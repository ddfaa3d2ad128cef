-- name: record
-- One row, in the caller's transaction. A user's name is looked up if only the id is given.
insert into audit (action, actor_kind, actor_id, actor, subject_kind, subject_id, subject, address, request_id, details)
values (
    $1, $2, $3, $4, $5::text, $6::bigint,
    left(coalesce($7, case when $5 = 'user' then (select name from users where user_id = $6) end), 400), $8, $9, $10
)

-- name: append
-- Rows of disclosures and refusals.
insert into audit (
    at, action, actor_kind, actor_id, actor, subject_kind, subject_id, subject, address, request_id, count, details
)
select *
from unnest(
    $1::timestamptz[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bigint[], $8::text[], $9::text[],
    $10::text[], $11::bigint[], $12::jsonb[]
)

-- name: page
-- Newest first. Null matches everything; $5 is an action, or the beginning of several that ends with a dot.
select audit_id, at, action, actor_kind, actor_id, actor, subject_kind, subject_id, subject, address, request_id, count, details
from audit
where
    ($1::timestamptz is null or at >= $1)
    and ($2::timestamptz is null or at < $2)
    and ($3::text is null or actor = $3)
    and ($4::text is null or subject = $4)
    and ($5::text is null or action = $5 or right($5, 1) = '.' and starts_with(action, $5))
order by at desc, audit_id desc
offset $6 limit $7

-- name: total
-- The number of matches, counted up to $6.
select count(*)
from (
    select from audit
    where
        ($1::timestamptz is null or at >= $1)
        and ($2::timestamptz is null or at < $2)
        and ($3::text is null or actor = $3)
        and ($4::text is null or subject = $4)
        and ($5::text is null or action = $5 or right($5, 1) = '.' and starts_with(action, $5))
    limit $6
) as matching

-- name: forget
select forget_audit($1, $2)
