-- Deliveries whose events have expired while they wait or are held up by another event of their key, the longest first.
--
-- Params   group_id, max_rows
-- Returns  id
-- Locks    none: whoever ends them holds their partitions and looks again
-- Plan     delivery_to_lapse, from its first entry
SELECT id
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state IN ('waiting', 'held_up')
   AND event_expires_at <= statement_timestamp()
 ORDER BY event_expires_at
 LIMIT %(max_rows)s;
