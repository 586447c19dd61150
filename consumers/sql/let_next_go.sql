-- Let the next event of each of some keys go, where nothing of its key is unfinished before it any more.
--
-- Params   group_id
--          partition_ids, key_hashes: one element for each event that was finished; a key may be named more than once
-- Acts     let_go
-- Returns  partition_id of each that waits now
-- Locks    these rows; the caller holds the offset rows of their partitions, so nobody sorts another one in meanwhile
-- Plan     delivery_of_a_key_in_order: the first entry of each key
--
-- A key is looked up as the first one from itself to itself: only its index has that order. With = the planner believes, of
-- one that has most of what is held up, that any row will do, and reads them all. It runs with run_by_key of statements.py.
-- IS NOT DISTINCT FROM is = for what is never null, but no index of what is held up serves it: the row's id does.
WITH ended AS (
    SELECT DISTINCT partition_id, key_hash
      FROM unnest(%(partition_ids)s::bigint[], %(key_hashes)s::bigint[]) AS ended (partition_id, key_hash)
), next AS MATERIALIZED (
    SELECT first.id
      FROM ended
     CROSS JOIN LATERAL (SELECT delivery.id, delivery.state, delivery.key_hash
                           FROM consumers_delivery AS delivery
                          WHERE delivery.group_id = %(group_id)s
                            AND delivery.partition_id = ended.partition_id
                            AND delivery.key_hash BETWEEN ended.key_hash AND ended.key_hash
                            AND delivery.dead_letter_id IS NULL
                          ORDER BY delivery.key_hash, delivery.first_offset
                          LIMIT 1) AS first
     WHERE first.key_hash = ended.key_hash
       AND first.state = 'held_up'
), gone AS (
    UPDATE consumers_delivery AS delivery
       SET state = 'waiting',
           -- One that is for later waits for its time, too.
           available_at = greatest(delivery.available_at, statement_timestamp())
      FROM next
     WHERE delivery.id = next.id
       AND delivery.state IS NOT DISTINCT FROM 'held_up'
 RETURNING delivery.partition_id
), counted AS (
    UPDATE consumers_groupoffset AS standing
       SET held_up_count = standing.held_up_count - let_go.event_count
      FROM (SELECT partition_id, count(*) AS event_count FROM gone GROUP BY partition_id) AS let_go
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = let_go.partition_id
)
SELECT partition_id FROM gone;
