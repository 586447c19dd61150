-- What is unfinished and for now, in partitions of groups whose unfinished events are in part for later.
--
-- Params   group_ids; partition_ids: only in these
-- Returns  group_id, partition_id, the first offset that is unfinished and was never for later (beyond the head: none), and
--          since when the first event that was for later is due (null: none is)
-- Locks    none
-- Plan     groupoffset_unique_per_partition; delivery_for_later, its first entry, which no other group and partition has; of those that
--          have one what was handed out and is not finished (count_in_hand.sql), and the first of delivery_held_up
--
-- Nothing is passed over that is for later, of which there may be a million.
SELECT standing.group_id, standing.partition_id,
       least(greatest(standing.dispatched_offset, standing.committed_offset) + 1,
             (SELECT min(plain.first_offset)
                FROM (SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'leased'
                       UNION ALL
                      SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'exhausted'
                       UNION ALL
                      SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'waiting' AND is_alone
                       UNION ALL
                      SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'waiting' AND NOT is_alone AND suspect_limit = 0
                         AND available_at <= statement_timestamp()
                       UNION ALL
                      SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'waiting' AND NOT is_alone AND suspect_limit = 0
                         AND failure_count > 0 AND available_at > statement_timestamp()
                       UNION ALL
                      SELECT partition_id, first_offset, due_at, dead_letter_id
                        FROM consumers_delivery
                       WHERE group_id = standing.group_id AND state = 'waiting' AND NOT is_alone AND suspect_limit > 0
                     ) AS plain
               WHERE plain.partition_id = standing.partition_id
                 AND plain.due_at IS NULL
                 AND plain.dead_letter_id IS NULL),
             (SELECT first_offset
                FROM consumers_delivery
               WHERE group_id = standing.group_id AND partition_id = standing.partition_id AND state = 'held_up'
                 AND due_at IS NULL
               ORDER BY first_offset LIMIT 1)),
       (SELECT due_at
          FROM consumers_delivery
         WHERE group_id = standing.group_id AND partition_id = standing.partition_id AND due_at <= statement_timestamp()
         ORDER BY due_at LIMIT 1)
  FROM consumers_groupoffset AS standing
 WHERE standing.group_id = ANY (%(group_ids)s::bigint[])
   AND standing.partition_id = ANY (%(partition_ids)s::bigint[])
   AND EXISTS (SELECT FROM consumers_delivery AS later
                WHERE later.group_id = standing.group_id
                  AND later.partition_id = standing.partition_id
                  AND later.due_at IS NOT NULL);
