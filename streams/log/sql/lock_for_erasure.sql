-- Let nobody append to a partition, trim it, erase in it or hold it until this transaction ends.
--
-- Params   partition_id
-- Returns  its id; no row if it does not exist
-- Locks    the partition's row, also against `FOR KEY SHARE`: whoever copies an event holds that (hold.sql)
-- Plan     streams_partition_pkey
SELECT id
  FROM streams_partition
 WHERE id = %(partition_id)b::bigint
   FOR UPDATE;
