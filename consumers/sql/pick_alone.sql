-- The longest overdue of those waiting deliveries that must be handed out by themselves.
--
-- Params   group_id
-- Returns  as pick_due.sql, at most one row
-- Locks    as pick_due.sql
-- Plan     delivery_waiting_by_due, from its first entry
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'waiting'
   AND is_alone
   AND available_at <= statement_timestamp()
   AND (event_expires_at IS NULL OR event_expires_at > statement_timestamp())
 ORDER BY available_at
 LIMIT 1
   FOR NO KEY UPDATE SKIP LOCKED;
