-- What a lease must know of its group before it begins.
--
-- Params   group_id, max_in_flight, max_suspects
-- Returns  one row: in_flight (leased events; counted until max_in_flight is certain), has_exhausted,
--          seconds until the next waiting delivery, the next that goes alone, the next under suspicion that does not, the
--          next expiry of a lease, and that of events that wait or are held up (negative: overdue; null: none), how many events are under
--          suspicion (of the first max_suspects deliveries), how many lost events nobody has acknowledged, the time, and of
--          each partition, in arrays: id, committed and dispatched offset, and up to where losses are counted
-- Locks    none
-- Plan     delivery_leased_by_expiry, delivery_waiting_by_due, delivery_exhausted, delivery_to_lapse,
--          delivery_suspected: the first entry of each; groupoffset_unique_per_partition
SELECT (SELECT coalesce(sum(event_count), 0)::bigint
          FROM (SELECT last_offset - first_offset + 1 AS event_count
                  FROM consumers_delivery
                 WHERE group_id = %(group_id)s AND state = 'leased'
                 LIMIT %(max_in_flight)s) AS held),
       EXISTS (SELECT FROM consumers_delivery WHERE group_id = %(group_id)s AND state = 'exhausted'),
       (SELECT extract(epoch FROM available_at - statement_timestamp())::float8
          FROM consumers_delivery
         WHERE group_id = %(group_id)s AND state = 'waiting' AND NOT is_alone AND suspect_limit = 0
         ORDER BY available_at LIMIT 1),
       (SELECT extract(epoch FROM available_at - statement_timestamp())::float8
          FROM consumers_delivery
         WHERE group_id = %(group_id)s AND state = 'waiting' AND is_alone
         ORDER BY available_at LIMIT 1),
       (SELECT extract(epoch FROM available_at - statement_timestamp())::float8
          FROM consumers_delivery
         WHERE group_id = %(group_id)s AND state = 'waiting' AND NOT is_alone AND suspect_limit > 0
         ORDER BY available_at LIMIT 1),
       (SELECT extract(epoch FROM lease_expires_at - statement_timestamp())::float8
          FROM consumers_delivery
         WHERE group_id = %(group_id)s AND state = 'leased'
         ORDER BY lease_expires_at LIMIT 1),
       (SELECT extract(epoch FROM event_expires_at - statement_timestamp())::float8
          FROM consumers_delivery
         WHERE group_id = %(group_id)s AND state IN ('waiting', 'held_up') AND event_expires_at IS NOT NULL
         ORDER BY event_expires_at LIMIT 1),
       (SELECT coalesce(sum(event_count), 0)::bigint
          FROM (SELECT last_offset - first_offset + 1 AS event_count
                  FROM consumers_delivery
                 WHERE group_id = %(group_id)s AND suspect_limit > 0
                 LIMIT %(max_suspects)s) AS suspected),
       coalesce(sum(lost_count - lost_acknowledged), 0)::bigint,
       statement_timestamp(),
       array_agg(partition_id), array_agg(committed_offset), array_agg(dispatched_offset), array_agg(lost_through)
  FROM consumers_groupoffset
 WHERE group_id = %(group_id)s;
