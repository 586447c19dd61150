-- The ends of partitions.
--
-- Params   partition_ids
-- Returns  id, earliest_offset, head_offset, last_recorded_at, timed_through, is_sealed of each that exists
-- Locks    none
-- Plan     streams_partition_pkey
SELECT id, earliest_offset, head_offset, last_recorded_at, timed_through, is_sealed
  FROM streams_partition
 WHERE id = ANY (%(partition_ids)s::bigint[]);
