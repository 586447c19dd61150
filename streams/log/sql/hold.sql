-- Let nothing be erased in some partitions until this transaction ends: what is read from now on may be copied.
--
-- Params   partition_ids
-- Returns  id of each that exists
-- Locks    the partitions' rows, in id order, against lock_for_erasure.sql and deletion; appends and trims go on
-- Plan     streams_partition_pkey
SELECT id
  FROM streams_partition
 WHERE id = ANY (%(partition_ids)b::bigint[])
 ORDER BY id
   FOR KEY SHARE;
