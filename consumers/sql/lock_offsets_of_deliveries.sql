-- Hold the offset rows of the partitions that some deliveries are in (see lock_offsets.sql).
--
-- Params   group_id, delivery_ids
-- Returns  partition_id of each
-- Locks    these rows, in order
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
SELECT partition_id
  FROM consumers_groupoffset
 WHERE group_id = %(group_id)s
   AND partition_id IN (SELECT partition_id
                          FROM consumers_delivery
                         WHERE id = ANY (%(delivery_ids)s::bigint[])
                           AND group_id IS NOT DISTINCT FROM %(group_id)s)
 ORDER BY partition_id
   FOR NO KEY UPDATE;
