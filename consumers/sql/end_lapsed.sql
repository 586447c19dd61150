-- End deliveries whose events have expired while they wait or are held up: they are finished, counted, and written down
-- as lapsed.
--
-- Params   group_id, delivery_ids
-- Acts     lapse
-- Returns  partition_id, first_offset, last_offset, key_hash of each
-- Locks    the rows; the caller holds the offset rows of their partitions, and runs advance_offsets.sql and
--          let_next_go.sql afterwards
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
WITH ended AS (
    DELETE FROM consumers_delivery
     WHERE id = ANY (%(delivery_ids)s::bigint[])
       AND group_id IS NOT DISTINCT FROM %(group_id)s
       AND state IN ('waiting', 'held_up')
       AND event_expires_at <= statement_timestamp()
 RETURNING *
), counted AS (
    UPDATE consumers_groupoffset AS standing
       SET expired_count = standing.expired_count + lapsed.event_count,
           finished_count = standing.finished_count + lapsed.event_count,
           held_up_count = standing.held_up_count - lapsed.held_up_count
      FROM (SELECT partition_id, sum(last_offset - first_offset + 1)::bigint AS event_count,
                   count(*) FILTER (WHERE state = 'held_up') AS held_up_count
              FROM ended GROUP BY partition_id) AS lapsed
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = lapsed.partition_id
), recorded AS (
    INSERT INTO consumers_deliveryhistory (
           group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
           leased_at, ended_at, error)
    SELECT group_id, partition_id, round, first_offset, last_offset, 'lapsed', delivery_count, failure_count, '',
           NULL, statement_timestamp(), ''
      FROM ended
)
SELECT partition_id, first_offset, last_offset, key_hash FROM ended;
