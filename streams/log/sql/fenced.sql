-- Which partitions are being closed where they lie, so that nothing is stored there until they lie elsewhere.
--
-- Params   partition_ids
-- Returns  id of each
-- Locks    none
-- Plan     streams_partition_pkey, move_under_way_once_for_each_stream
SELECT partition.id
  FROM streams_partition AS partition
  JOIN streams_streammove AS move ON move.stream_id = partition.stream_id
 WHERE partition.id = ANY (%(partition_ids)s::bigint[])
   AND move.finished_at IS NULL
   AND move.state = 'fencing';
