-- Refuse appends from now on whose events were placed among fewer partitions.
--
-- Params   partition_ids; count: among so many they have to be placed
-- Returns  nothing
-- Locks    the partitions' rows, in id order, as an append takes them: one that waits finds what is said here
-- Plan     streams_partition_pkey for each partition
WITH locked AS (
    SELECT id
      FROM streams_partition
     WHERE id = ANY (%(partition_ids)s::bigint[])
     ORDER BY id
       FOR NO KEY UPDATE
)
UPDATE streams_partition AS partition
   SET least_placed_among = %(count)s
  FROM locked
 WHERE partition.id = locked.id;
