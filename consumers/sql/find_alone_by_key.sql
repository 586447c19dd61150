-- Waiting deliveries that must be handed out by themselves, the longest overdue first, but for those of which
-- somebody holds another event with the same key: a redrive stands outside of the order, and waits for its key all the same.
--
-- Params   group_id, max_rows
-- Returns  id, partition_id
-- Locks    none: whoever takes them locks their partitions and looks again (pick_due_by_key.sql)
-- Plan     delivery_waiting_by_due, from its first entry; for each delivery_of_a_key_leased_one_at_a_time
--
-- A key is looked up as the first one from itself to itself (let_next_go.sql).
SELECT id, partition_id
  FROM consumers_delivery AS due
 WHERE group_id = %(group_id)s
   AND state = 'waiting'
   AND is_alone
   AND available_at <= statement_timestamp()
   AND (event_expires_at IS NULL OR event_expires_at > statement_timestamp())
   AND (due.key_hash IS NULL
        OR due.key_hash IS DISTINCT FROM (SELECT held.key_hash
                                            FROM consumers_delivery AS held
                                           WHERE held.group_id = %(group_id)s
                                             AND held.partition_id = due.partition_id
                                             AND held.key_hash BETWEEN due.key_hash AND due.key_hash
                                             AND held.state = 'leased'
                                           ORDER BY held.key_hash
                                           LIMIT 1))
 ORDER BY available_at
 LIMIT %(max_rows)s;
