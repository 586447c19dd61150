-- Deliveries that their group has given up on and that are not yet among the dead letters.
--
-- Params   group_id, max_rows
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count,
--          exhausted_reason, last_error
-- Locks    none: whoever moves them looks again
-- Plan     delivery_exhausted, from its first entry
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count,
       exhausted_reason, last_error
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'exhausted'
 ORDER BY partition_id, first_offset
 LIMIT %(max_rows)s;
