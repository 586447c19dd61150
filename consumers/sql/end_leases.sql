-- End leases other than by an ack: each delivery becomes its first piece, waiting or exhausted.
--
-- Params   one element for each: delivery_ids, tokens, first_offsets, last_offsets, states, are_alone, suspect_limits,
--          failure_counts, delays (seconds), reasons, errors ('' keeps the last one)
-- Acts     ack, nack, expire, release
-- Returns  id of each
-- Locks    the rows, which the caller holds
-- Plan     consumers_delivery_pkey
UPDATE consumers_delivery AS delivery
   SET state = piece.state,
       first_offset = piece.first_offset,
       last_offset = piece.last_offset,
       is_alone = piece.is_alone,
       suspect_limit = piece.suspect_limit,
       last_failed_at = CASE WHEN piece.failure_count > delivery.failure_count THEN statement_timestamp()
                             ELSE delivery.last_failed_at END,
       failure_count = piece.failure_count,
       available_at = CASE WHEN piece.state = 'waiting'
                           THEN statement_timestamp() + make_interval(secs => piece.delay) END,
       exhausted_reason = piece.reason,
       last_error = coalesce(nullif(piece.error, ''), delivery.last_error),
       lease_token = NULL,
       lease_expires_at = NULL
  FROM unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[],
              %(states)s::text[], %(are_alone)s::boolean[], %(suspect_limits)s::smallint[],
              %(failure_counts)s::bigint[], %(delays)s::float8[], %(reasons)s::text[], %(errors)s::text[])
       AS piece (id, token, first_offset, last_offset, state, is_alone, suspect_limit, failure_count, delay, reason, error)
 WHERE delivery.id = piece.id
   AND delivery.state = 'leased'
   AND delivery.lease_token = piece.token
RETURNING delivery.id;
