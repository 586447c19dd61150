-- Lease waiting deliveries that the caller has picked, each up to an offset.
--
-- Params   token, consumer, ack_wait
--          is_alone: the answer carries nothing else
--          delivery_ids, last_offsets: one element for each
-- Acts     lease
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count,
--          lease_expires_at
-- Locks    the rows, which the caller holds already or nobody else can take
-- Plan     consumers_delivery_pkey
UPDATE consumers_delivery AS delivery
   SET state = 'leased',
       last_offset = picked.last_offset,
       is_alone = %(is_alone)s,
       delivery_count = delivery.delivery_count + 1,
       lease_token = %(token)s,
       leased_by = %(consumer)s,
       leased_at = now.at,
       lease_expires_at = now.at + make_interval(secs => %(ack_wait)s::float8),
       available_at = NULL
  FROM unnest(%(delivery_ids)s::bigint[], %(last_offsets)s::bigint[]) AS picked (id, last_offset),
       (SELECT clock_timestamp() AS at) AS now
 WHERE delivery.id = picked.id
   AND delivery.state = 'waiting'
RETURNING delivery.id, delivery.partition_id, delivery.round, delivery.dead_letter_id, delivery.first_offset,
          delivery.last_offset, delivery.delivery_count, delivery.failure_count, delivery.lease_expires_at;
