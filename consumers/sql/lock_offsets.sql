-- Hold a group's offset rows of some partitions, waiting for whoever holds them now.
--
-- Whoever changes deliveries or dead letters of a partition holds its row first (docs/architecture.md, "Who waits for
-- whom").
--
-- Params   group_id, partition_ids
-- Returns  partition_id of each
-- Locks    these rows, in order: two callers can wait for each other but never in a circle
-- Plan     groupoffset_unique_per_partition
SELECT partition_id
  FROM consumers_groupoffset
 WHERE group_id = %(group_id)s
   AND partition_id = ANY (%(partition_ids)s::bigint[])
 ORDER BY partition_id
   FOR NO KEY UPDATE;
