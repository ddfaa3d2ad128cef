-- A trigger runs with the settings of whoever changes a row. `bytea_output` changed how a token's key is written in its
-- hint, and a `search_path` without `public`, as a restored dump sets it, hid the tables from the triggers.
-- The hints stay as they are, so the release before goes on understanding them. No table is locked.
alter function notify_change() set bytea_output = 'hex';
alter function notify_change() set search_path = pg_catalog, pg_temp;
alter function rotate_secret() set search_path = pg_catalog, pg_temp;
alter function end_tokens() set search_path = public, pg_temp;
