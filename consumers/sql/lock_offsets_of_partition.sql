-- Hold the offset rows of all groups of one partition: nobody changes its deliveries or dead letters until this ends.
--
-- Params   partition_id
-- Returns  group_id of each
-- Locks    these rows, by group as everywhere: two callers can wait for each other but never in a circle
-- Plan     the index of consumers_groupoffset by partition
SELECT group_id
  FROM consumers_groupoffset
 WHERE partition_id = %(partition_id)s
 ORDER BY group_id
   FOR NO KEY UPDATE;
