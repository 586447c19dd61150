-- Let nobody else append to partitions until this transaction ends, and say where they end.
--
-- Params   partition_ids
-- Returns  id, head_offset and least_placed_among of each that exists and is not sealed
-- Locks    the partitions' rows, in id order, as append.sql takes them
-- Plan     streams_partition_pkey
SELECT id, head_offset, least_placed_among
  FROM streams_partition
 WHERE id = ANY (%(partition_ids)b::bigint[])
   AND NOT is_sealed
 ORDER BY id
   FOR NO KEY UPDATE;
