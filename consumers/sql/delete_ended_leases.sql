-- Delete the oldest rows that are no longer kept, a bounded number of them.
--
-- Params   older_than (seconds), max_rows
-- Returns  one row: how many went
-- Locks    the rows deleted; those that somebody else is deleting are passed by
-- Plan     endedlease_by_end, from its first entry
WITH old AS (
    SELECT ctid
      FROM consumers_endedlease
     WHERE ended_at < statement_timestamp() - make_interval(secs => %(older_than)s::float8)
     ORDER BY ended_at
     LIMIT %(max_rows)s
       FOR UPDATE SKIP LOCKED
), deleted AS (
    DELETE FROM consumers_endedlease WHERE ctid IN (SELECT ctid FROM old) RETURNING 1
)
SELECT count(*) FROM deleted;
