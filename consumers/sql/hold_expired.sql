-- Hold those of some deliveries whose lease has expired and was not extended meanwhile.
--
-- Params   group_id, delivery_ids
-- Returns  as hold_deliveries.sql
-- Locks    the rows returned, in id order; the caller holds their partitions' offset rows
-- Plan     consumers_delivery_pkey
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, is_alone,
       lease_token, leased_by, leased_at
  FROM consumers_delivery
 WHERE id = ANY (%(delivery_ids)s::bigint[])
   AND group_id = %(group_id)s
   AND state = 'leased'
   AND lease_expires_at <= statement_timestamp()
 ORDER BY id
   FOR NO KEY UPDATE;
