-- Hold those of some deliveries whose lease has expired and was not extended meanwhile.
--
-- Params   group_id, delivery_ids
-- Returns  as hold_deliveries.sql
-- Locks    the rows returned, in id order; the caller holds their partitions' offset rows
-- Plan     consumers_delivery_pkey
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, is_alone,
       suspect_limit, lease_token, leased_by, leased_at, coalesce(event_expires_at <= statement_timestamp(), false)
  FROM consumers_delivery
 WHERE id = ANY (%(delivery_ids)s::bigint[])
   AND group_id IS NOT DISTINCT FROM %(group_id)s
   AND state = 'leased'
   AND lease_expires_at <= statement_timestamp()
 ORDER BY id
   FOR NO KEY UPDATE;
