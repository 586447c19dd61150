-- Let a waiting delivery be handed out now; what is due already keeps its place in the line.
--
-- Params   group_id, delivery_id
-- Acts     retry
-- Returns  partition_id, if it waits and its events have not expired
-- Locks    the offset row of its partition, then the delivery
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
WITH asked AS MATERIALIZED (
    SELECT id, partition_id
      FROM consumers_delivery
     WHERE id = %(delivery_id)s
       AND group_id IS NOT DISTINCT FROM %(group_id)s
), locked AS MATERIALIZED (
    SELECT partition_id
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id IN (SELECT partition_id FROM asked)
       FOR NO KEY UPDATE
)
UPDATE consumers_delivery AS delivery
   SET available_at = least(delivery.available_at, statement_timestamp())
  FROM asked JOIN locked ON locked.partition_id = asked.partition_id
 WHERE delivery.id = asked.id
   AND delivery.state = 'waiting'
   AND (delivery.event_expires_at IS NULL OR delivery.event_expires_at > statement_timestamp())
RETURNING delivery.partition_id;
