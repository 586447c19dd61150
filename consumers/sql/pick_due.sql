-- Waiting deliveries whose time has come, the longest overdue first.
--
-- Params   group_id
--          is_alone      those that must be handed out by themselves, or the others
--          max_rows
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset
-- Locks    the rows returned, and those that have changed since the snapshot; what somebody else is taking is passed by.
--          The caller does not hold their partitions' offset rows, so it must not wait for anything afterwards.
-- Plan     delivery_waiting_by_due, from its first entry: however many wait, only these rows are read
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'waiting'
   AND is_alone = %(is_alone)s
   AND available_at <= statement_timestamp()
 ORDER BY available_at
 LIMIT %(max_rows)s
   FOR NO KEY UPDATE SKIP LOCKED;
