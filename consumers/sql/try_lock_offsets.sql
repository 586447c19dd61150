-- Hold those of a group's offset rows that nobody else holds.
--
-- Params   group_id, partition_ids
-- Returns  partition_id of each that is ours now
-- Locks    the rows returned
-- Plan     groupoffset_unique_per_partition
SELECT partition_id
  FROM consumers_groupoffset
 WHERE group_id = %(group_id)s
   AND partition_id = ANY (%(partition_ids)s::bigint[])
   FOR NO KEY UPDATE SKIP LOCKED;
