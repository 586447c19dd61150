-- Put the further pieces of leases that came apart beside the first, each as a delivery of its own.
--
-- Params   one element for each piece: delivery_ids (of the lease it was part of), first_offsets, last_offsets, states,
--          are_alone, suspect_limits, failure_counts, delays (seconds), reasons, errors ('' keeps the last one)
-- Acts     ack, nack, expire, release
-- Returns  id of each
-- Locks    none; the caller holds the leases
-- Plan     consumers_delivery_pkey
INSERT INTO consumers_delivery (
       group_id, partition_id, round, first_offset, last_offset, state, is_alone, delivery_count, failure_count,
       available_at, leased_by, leased_at, exhausted_reason, last_error, last_failed_at, created_at,
       due_at, event_expires_at, suspect_limit)
SELECT held.group_id, held.partition_id, held.round, piece.first_offset, piece.last_offset, piece.state, piece.is_alone,
       held.delivery_count, piece.failure_count,
       CASE WHEN piece.state = 'waiting' THEN statement_timestamp() + make_interval(secs => piece.delay) END,
       held.leased_by, held.leased_at, piece.reason, coalesce(nullif(piece.error, ''), held.last_error),
       CASE WHEN piece.failure_count > held.failure_count THEN statement_timestamp() ELSE held.last_failed_at END,
       held.created_at, held.due_at, held.event_expires_at, piece.suspect_limit
  FROM unnest(%(delivery_ids)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[], %(states)s::text[],
              %(are_alone)s::boolean[], %(suspect_limits)s::smallint[], %(failure_counts)s::bigint[], %(delays)s::float8[],
              %(reasons)s::text[], %(errors)s::text[])
       AS piece (id, first_offset, last_offset, state, is_alone, suspect_limit, failure_count, delay, reason, error)
  JOIN consumers_delivery AS held ON held.id = piece.id AND held.state = 'leased'
RETURNING id;
