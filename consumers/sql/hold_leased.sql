-- Hold a delivery that somebody has a lease on at this moment, whoever it is.
--
-- Params   group_id, delivery_id, delivery_count (of the lease that is meant, or null for whichever there is)
-- Returns  as hold_deliveries.sql; nothing if it is not leased, or its lease has expired
-- Locks    the row returned; the caller holds its partition's offset row
-- Plan     consumers_delivery_pkey
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
SELECT id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, is_alone,
       suspect_limit, lease_token, leased_by, leased_at, coalesce(event_expires_at <= statement_timestamp(), false)
  FROM consumers_delivery
 WHERE id = %(delivery_id)s
   AND group_id IS NOT DISTINCT FROM %(group_id)s
   AND state = 'leased'
   AND lease_expires_at > statement_timestamp()
   AND delivery_count = coalesce(%(delivery_count)s::bigint, delivery_count)
   FOR NO KEY UPDATE;
