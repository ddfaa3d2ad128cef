-- name: record
-- One row, in the caller's transaction. A user's name is looked up if only the id is given.
insert into audit (action, actor_kind, actor_id, actor, subject_kind, subject_id, subject, address, request_id, details)
values (
    $1, $2, $3, $4, $5::text, $6::bigint,
    left(coalesce($7, case when $5 = 'user' then (select name from users where user_id = $6) end), 400), $8, $9, $10
)
