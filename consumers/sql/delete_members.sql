-- Forget members that have not been seen for long, a bounded number of them, but never the one of its group that was
-- seen last: since when nobody reads as the group is told by it.
--
-- Params   older_than (seconds), max_rows
-- Returns  one row: how many went
-- Locks    the rows deleted; those that somebody writes at this moment are passed by
-- Plan     all of consumers_groupmember, with groupmember_name_unique_in_group for each old one
WITH old AS (
    SELECT ctid
      FROM consumers_groupmember AS member
     WHERE last_seen_at < statement_timestamp() - make_interval(secs => %(older_than)s::float8)
       AND EXISTS (SELECT
                     FROM consumers_groupmember AS newer
                    WHERE newer.group_id = member.group_id
                      AND newer.last_seen_at > member.last_seen_at)
     LIMIT %(max_rows)s
       FOR UPDATE OF member SKIP LOCKED
), deleted AS (
    DELETE FROM consumers_groupmember WHERE ctid IN (SELECT ctid FROM old) RETURNING 1
)
SELECT count(*) FROM deleted;
