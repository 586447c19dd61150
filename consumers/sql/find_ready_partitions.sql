-- Partitions in which a group that keeps the order could be handed something now, in no particular order.
--
-- Params   group_id, max_rows
--          partition_ids, head_offsets: one element for each partition
-- Returns  partition_id
-- Locks    none: whoever takes one locks it and looks again
-- Plan     delivery_of_an_event_unique_in_group and delivery_redrives, their first entry for each partition;
--          delivery_leased_by_expiry, which has at most one entry for each partition of such a group
SELECT standing.partition_id
  FROM consumers_groupoffset AS standing
  JOIN unnest(%(partition_ids)s::bigint[], %(head_offsets)s::bigint[]) AS wanted (partition_id, head_offset)
    ON wanted.partition_id = standing.partition_id
 WHERE standing.group_id = %(group_id)s
   AND NOT EXISTS (SELECT FROM consumers_delivery AS held
                    WHERE held.group_id = %(group_id)s
                      AND held.state = 'leased'
                      AND held.partition_id = standing.partition_id)
   AND ((standing.committed_offset >= standing.dispatched_offset AND standing.committed_offset < wanted.head_offset)
        OR EXISTS (SELECT FROM (SELECT state, available_at
                                  FROM consumers_delivery AS first
                                 WHERE first.group_id = %(group_id)s
                                   AND first.partition_id = standing.partition_id
                                   AND first.dead_letter_id IS NULL
                                 ORDER BY first.first_offset
                                 LIMIT 1) AS next
                    WHERE next.state = 'waiting' AND next.available_at <= statement_timestamp())
        OR EXISTS (SELECT FROM consumers_delivery AS redriven
                    WHERE redriven.group_id = %(group_id)s
                      AND redriven.partition_id = standing.partition_id
                      AND redriven.dead_letter_id IS NOT NULL
                      AND redriven.state = 'waiting'
                      AND redriven.available_at <= statement_timestamp()))
 ORDER BY random()
 LIMIT %(max_rows)s;
