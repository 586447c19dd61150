-- Where the deliveries of one event stand, in every group of its stream.
--
-- Params   partition_id, offset
-- Returns  group_id, id, dead_letter_id, round, first_offset, last_offset, state, delivery_count, failure_count,
--          leased_by, leased_at, lease_expires_at, available_at, last_error, exhausted_reason; of a lease that has
--          expired the state is waiting, and what nobody has had and is not due is scheduled, as everywhere
--          (consumers/delivery_queries.py)
-- Locks    none
-- Plan     for each group one entry of delivery_of_an_event_unique_in_group, and delivery_redrives
SELECT standing.group_id, found.id, found.dead_letter_id, found.round, found.first_offset, found.last_offset,
       CASE WHEN found.state = 'leased' AND found.lease_expires_at <= statement_timestamp() THEN 'waiting'
            WHEN found.state = 'waiting' AND found.delivery_count = 0 AND found.available_at > statement_timestamp()
            THEN 'scheduled'
            ELSE found.state END,
       found.delivery_count, found.failure_count, found.leased_by, found.leased_at, found.lease_expires_at,
       found.available_at, found.last_error, found.exhausted_reason
  FROM consumers_groupoffset AS standing
 CROSS JOIN LATERAL (
       SELECT nearest.*
         FROM (SELECT * FROM consumers_delivery AS delivery
                WHERE delivery.group_id = standing.group_id
                  AND delivery.partition_id = standing.partition_id
                  AND delivery.dead_letter_id IS NULL
                  AND delivery.first_offset <= %(offset)s
                ORDER BY delivery.first_offset DESC
                LIMIT 1) AS nearest
        WHERE nearest.last_offset >= %(offset)s
       UNION ALL
       SELECT * FROM consumers_delivery AS redriven
        WHERE redriven.group_id = standing.group_id
          AND redriven.partition_id = standing.partition_id
          AND redriven.dead_letter_id IS NOT NULL
          AND redriven.first_offset = %(offset)s) AS found
 WHERE standing.partition_id = %(partition_id)s;
