-- Events that are held up though nothing of their key is unfinished before them: whoever should have let them go was
-- killed between two statements.
--
-- Params   none
-- Returns  group_id, partition_id, key_hash
-- Locks    none: whoever lets them go looks again
-- Plan     delivery_held_up, and for each key one entry of delivery_of_a_key_in_order
--
-- A key is looked up as the first one from itself to itself (let_next_go.sql).
SELECT held.group_id, held.partition_id, held.key_hash
  FROM (SELECT group_id, partition_id, key_hash
          FROM consumers_delivery
         WHERE state = 'held_up'
         GROUP BY group_id, partition_id, key_hash) AS held
 CROSS JOIN LATERAL (SELECT delivery.state, delivery.key_hash
                       FROM consumers_delivery AS delivery
                      WHERE delivery.group_id = held.group_id
                        AND delivery.partition_id = held.partition_id
                        AND delivery.key_hash BETWEEN held.key_hash AND held.key_hash
                        AND delivery.dead_letter_id IS NULL
                      ORDER BY delivery.key_hash, delivery.first_offset
                      LIMIT 1) AS first
 WHERE first.key_hash = held.key_hash
   AND first.state = 'held_up'
 ORDER BY held.group_id, held.partition_id;
