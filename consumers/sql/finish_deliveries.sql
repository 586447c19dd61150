-- Ack whole deliveries: their rows go, and the group's committed offsets move up to what is finished now.
--
-- Params   group_id
--          delivery_ids, tokens: one element for each
-- Returns  id, partition_id, first_offset, last_offset, dead_letter_id of each that was leased under that token
-- Locks    the deliveries; the caller holds the offset rows of their partitions (lock_offsets_of_deliveries.sql), so the
--          snapshot of this statement has all that was finished before
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition; for the new committed offset the first entry of
--          delivery_of_an_event_unique_in_group that is not finished here
--
-- What did not go smoothly leaves its end in the history too; a plain first ack leaves none.
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
WITH finished AS (
    DELETE FROM consumers_delivery AS delivery
     USING unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS asked (id, token)
     WHERE delivery.id = asked.id
       AND delivery.group_id IS NOT DISTINCT FROM %(group_id)s
       AND delivery.state = 'leased'
       AND delivery.lease_token = asked.token
 RETURNING delivery.*
), remembered AS (
    INSERT INTO consumers_endedlease (lease_token, delivery_id, group_id, outcome, ended_at)
    SELECT lease_token, id, group_id, 'acked', statement_timestamp() FROM finished
), recorded AS (
    INSERT INTO consumers_deliveryhistory (
           group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
           leased_at, ended_at, error)
    SELECT group_id, partition_id, round, first_offset, last_offset, 'acked', delivery_count, failure_count, leased_by,
           leased_at, statement_timestamp(), ''
      FROM finished
     WHERE delivery_count > 1 OR dead_letter_id IS NOT NULL
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET committed_offset = reached.committed_offset,
           committed_at = statement_timestamp()
      FROM (SELECT before.id,
                   coalesce((SELECT unfinished.first_offset - 1
                               FROM consumers_delivery AS unfinished
                              WHERE unfinished.group_id = %(group_id)s
                                AND unfinished.partition_id = before.partition_id
                                AND unfinished.dead_letter_id IS NULL
                                AND unfinished.first_offset > before.committed_offset
                                AND NOT EXISTS (SELECT FROM finished
                                                 WHERE finished.partition_id = unfinished.partition_id
                                                   AND finished.first_offset = unfinished.first_offset
                                                   AND finished.dead_letter_id IS NULL)
                              ORDER BY unfinished.first_offset
                              LIMIT 1),
                            before.dispatched_offset) AS committed_offset
              FROM consumers_groupoffset AS before
             WHERE before.group_id = %(group_id)s
               AND before.partition_id IN (SELECT partition_id FROM finished)) AS reached
     WHERE standing.id = reached.id
       AND standing.committed_offset < reached.committed_offset
)
SELECT id, partition_id, first_offset, last_offset, dead_letter_id FROM finished;
