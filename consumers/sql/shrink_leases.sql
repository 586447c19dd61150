-- Make leased deliveries as long as what was really read for them.
--
-- Params   token
--          delivery_ids, first_offsets, last_offsets: one element for each
-- Acts     put_back, lose
-- Returns  id of each that was still ours
-- Locks    the rows
-- Plan     consumers_delivery_pkey
UPDATE consumers_delivery AS delivery
   SET first_offset = wanted.first_offset,
       last_offset = wanted.last_offset
  FROM unnest(%(delivery_ids)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[])
       AS wanted (id, first_offset, last_offset)
 WHERE delivery.id = wanted.id
   AND delivery.state = 'leased'
   AND delivery.lease_token = %(token)s
RETURNING delivery.id;
