-- What comes next in partitions that keep the order: of each at most one delivery, and only if it is due.
--
-- A redrive stands outside the order: a due one goes first, one that waits holds nobody up.
--
-- Params   group_id
--          partition_ids   locked by the caller (lock_offsets.sql), so nobody else leases in them
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset, suspect_limit, is_alone
-- Locks    none of its own
-- Plan     delivery_of_an_event_unique_in_group and delivery_redrives, the first entries of each partition
SELECT next.id, next.partition_id, next.round, next.dead_letter_id, next.first_offset, next.last_offset,
       next.suspect_limit, next.is_alone
  FROM unnest(%(partition_ids)s::bigint[]) AS wanted (partition_id)
 CROSS JOIN LATERAL (
       SELECT candidate.*
         FROM ((SELECT * FROM consumers_delivery AS redriven
                 WHERE redriven.group_id = %(group_id)s
                   AND redriven.partition_id = wanted.partition_id
                   AND redriven.dead_letter_id IS NOT NULL
                   AND redriven.state = 'waiting'
                   AND redriven.available_at <= statement_timestamp()
                 ORDER BY redriven.first_offset
                 LIMIT 1)
               UNION ALL
               (SELECT * FROM (SELECT * FROM consumers_delivery AS first
                                WHERE first.group_id = %(group_id)s
                                  AND first.partition_id = wanted.partition_id
                                  AND first.dead_letter_id IS NULL
                                ORDER BY first.first_offset
                                LIMIT 1) AS head_of_line
                 WHERE state = 'waiting'
                   AND available_at <= statement_timestamp()
                   AND (event_expires_at IS NULL OR event_expires_at > statement_timestamp()))) AS candidate
        ORDER BY candidate.dead_letter_id NULLS LAST
        LIMIT 1) AS next
 WHERE NOT EXISTS (SELECT FROM consumers_delivery AS held
                    WHERE held.group_id = %(group_id)s
                      AND held.state = 'leased'
                      AND held.partition_id = wanted.partition_id);
