-- What one person holds of a group from the dashboard, whichever their browser, the first to run out first.
--
-- Params   group_id, held_by (how their names begin), max_rows
-- Returns  id, partition_id, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, round,
--          lease_token, leased_by, lease_expires_at, and the seconds that are left: negative when it has run out and nobody has
--          taken it back
-- Locks    none
-- Plan     delivery_in_browsers: what programs hold is not in it
SELECT id, partition_id, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, round, lease_token,
       leased_by, lease_expires_at, extract(epoch FROM lease_expires_at - statement_timestamp())::float8
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'leased'
   AND leased_by LIKE 'browser:%%'
   AND starts_with(leased_by, %(held_by)s)
 ORDER BY lease_expires_at, id
 LIMIT %(max_rows)s;
