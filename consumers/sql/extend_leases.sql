-- Keep leases for longer, counted from now; one that lasts longer already stays as it is.
--
-- Params   group_id
--          delivery_ids, tokens, ack_waits: one element for each
-- Acts     extend
-- Returns  id, token, lease_expires_at of each that was leased under that token
-- Locks    the offset rows of their partitions, in order, then the deliveries
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
WITH asked AS MATERIALIZED (
    SELECT delivery.id, delivery.partition_id, wanted.token, wanted.ack_wait
      FROM unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[], %(ack_waits)s::float8[])
           AS wanted (id, token, ack_wait)
      JOIN consumers_delivery AS delivery ON delivery.id = wanted.id
     WHERE delivery.group_id IS NOT DISTINCT FROM %(group_id)s
), locked AS MATERIALIZED (
    SELECT partition_id
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id IN (SELECT partition_id FROM asked)
     ORDER BY partition_id
       FOR NO KEY UPDATE
)
UPDATE consumers_delivery AS delivery
   SET lease_expires_at = greatest(
           delivery.lease_expires_at, clock_timestamp() + make_interval(secs => asked.ack_wait))
  FROM asked JOIN locked ON locked.partition_id = asked.partition_id
 WHERE delivery.id = asked.id
   AND delivery.state = 'leased'
   AND delivery.lease_token = asked.token
RETURNING delivery.id, delivery.lease_token, delivery.lease_expires_at;
