-- Give up the order of keys: what is held up by another event of its key waits to be handed out, like all others.
--
-- Params   group_id
-- Acts     let_go
-- Returns  nothing
-- Locks    the deliveries that have a key; the caller holds the group's offset rows
-- Plan     delivery_of_a_key_in_order and, for redrives, delivery_redrives
WITH named AS (
    SELECT id FROM consumers_delivery
     WHERE group_id = %(group_id)s AND key_hash IS NOT NULL AND dead_letter_id IS NULL
     UNION ALL
    SELECT id FROM consumers_delivery
     WHERE group_id = %(group_id)s AND key_hash IS NOT NULL AND dead_letter_id IS NOT NULL
)
UPDATE consumers_delivery AS delivery
   SET key_hash = NULL,
       state = CASE WHEN delivery.state = 'held_up' THEN 'waiting' ELSE delivery.state END,
       available_at = CASE WHEN delivery.state = 'held_up' THEN greatest(delivery.available_at, statement_timestamp())
                           ELSE delivery.available_at END
  FROM named
 WHERE delivery.id = named.id;
