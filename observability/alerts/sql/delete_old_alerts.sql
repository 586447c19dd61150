-- Delete alerts that ended long ago with what was sent of them, and old tests.
--
-- Params   before; max_rows of each
-- Returns  one row: how many alerts and tests went
-- Locks    the deleted rows
-- Plan     alert_by_age, alertnotification_by_age, alertnotification_once_for_each_occasion
WITH old AS (
    SELECT id FROM observability_alert WHERE ended_at < %(before)s::timestamptz LIMIT %(max_rows)s::bigint
), told AS (
    DELETE FROM observability_alertnotification WHERE alert_id IN (SELECT id FROM old)
), alerts AS (
    DELETE FROM observability_alert WHERE id IN (SELECT id FROM old)
 RETURNING 1
), tests AS (
    DELETE FROM observability_alertnotification
     WHERE id IN (SELECT id FROM observability_alertnotification
                   WHERE ended_at < %(before)s::timestamptz AND occasion = 'test' LIMIT %(max_rows)s::bigint)
 RETURNING 1
)
SELECT (SELECT count(*) FROM alerts) + (SELECT count(*) FROM tests);
