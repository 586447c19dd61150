-- Waiting deliveries whose time has come, the longest overdue first: what may go beside anything, and has not expired.
--
-- Params   group_id, max_rows
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset
-- Locks    the rows returned, and those that have changed since the snapshot; what somebody else is taking is passed by.
--          The caller does not hold their partitions' offset rows, so it must not wait for anything afterwards.
-- Plan     delivery_waiting_by_due, from its first entry: however many wait, only these rows are read, and those that have
--          expired and that find_lapsed.sql has not found yet
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'waiting'
   AND NOT is_alone
   AND suspect_limit = 0
   AND available_at <= statement_timestamp()
   AND (event_expires_at IS NULL OR event_expires_at > statement_timestamp())
 ORDER BY available_at
 LIMIT %(max_rows)s
   FOR NO KEY UPDATE SKIP LOCKED;
