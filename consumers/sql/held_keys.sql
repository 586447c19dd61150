-- The keys that hold up events, the longest first, each with the delivery that does so.
--
-- Params   group_id, max_keys
-- Returns  partition_id, first_offset, last_offset, id and dead_letter_id of the delivery, how many events it holds up,
--          since when, state (waiting, if its lease has expired), delivery_count, failure_count, leased_by, lease_expires_at,
--          available_at, last_error
-- Locks    none
-- Plan     delivery_held_up, all of it; for each key the first entry of delivery_of_a_key_in_order
--
-- A key is looked up as the first one from itself to itself (let_next_go.sql).
WITH held AS (
    SELECT partition_id, key_hash, count(*) AS event_count, min(created_at) AS since
      FROM consumers_delivery
     WHERE group_id = %(group_id)s
       AND state = 'held_up'
     GROUP BY partition_id, key_hash
     ORDER BY since, partition_id, key_hash
     LIMIT %(max_keys)s
)
SELECT held.partition_id, first.first_offset, first.last_offset, first.id, first.dead_letter_id, held.event_count, held.since,
       CASE WHEN first.state = 'leased' AND first.lease_expires_at <= statement_timestamp() THEN 'waiting'
            ELSE first.state END,
       first.delivery_count, first.failure_count, first.leased_by, first.lease_expires_at, first.available_at,
       first.last_error
  FROM held
 CROSS JOIN LATERAL (SELECT *
                       FROM consumers_delivery AS delivery
                      WHERE delivery.group_id = %(group_id)s
                        AND delivery.partition_id = held.partition_id
                        AND delivery.key_hash BETWEEN held.key_hash AND held.key_hash
                        AND delivery.dead_letter_id IS NULL
                      ORDER BY delivery.key_hash, delivery.first_offset
                      LIMIT 1) AS first
 WHERE first.key_hash = held.key_hash
 ORDER BY held.since, held.partition_id, held.key_hash;
