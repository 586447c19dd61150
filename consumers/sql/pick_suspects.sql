-- Waiting deliveries that are under suspicion and may go beside others, the longest overdue first.
--
-- Params   group_id, max_rows: no more than the answer can use, since what is locked here no other lease can have
-- Returns  as pick_due.sql, and suspect_limit
-- Locks    as pick_due.sql
-- Plan     delivery_suspected, from its first entry
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset, suspect_limit
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'waiting'
   AND NOT is_alone
   AND suspect_limit > 0
   AND available_at <= statement_timestamp()
   AND (event_expires_at IS NULL OR event_expires_at > statement_timestamp())
 ORDER BY available_at
 LIMIT %(max_rows)s
   FOR NO KEY UPDATE SKIP LOCKED;
