-- The part of deliveries that was not handed out with the rest waits on, as if it had not been touched.
--
-- Params   delivery_ids, first_offsets, last_offsets: the rest of each
-- Acts     put_back
-- Returns  nothing
-- Locks    none; the deliveries are the caller's
-- Plan     consumers_delivery_pkey
INSERT INTO consumers_delivery (
       group_id, partition_id, round, first_offset, last_offset, state, is_alone, delivery_count, failure_count,
       available_at, leased_by, leased_at, exhausted_reason, last_error, last_failed_at, created_at,
       due_at, event_expires_at, suspect_limit)
SELECT delivery.group_id, delivery.partition_id, delivery.round, rest.first_offset, rest.last_offset, 'waiting',
       delivery.is_alone, greatest(delivery.delivery_count - 1, 0), delivery.failure_count,
       statement_timestamp(), delivery.leased_by, delivery.leased_at, '', delivery.last_error, delivery.last_failed_at,
       delivery.created_at, delivery.due_at, delivery.event_expires_at, delivery.suspect_limit
  FROM unnest(%(delivery_ids)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[])
       AS rest (id, first_offset, last_offset)
  JOIN consumers_delivery AS delivery ON delivery.id = rest.id AND delivery.state = 'leased'
RETURNING id;
