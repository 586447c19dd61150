-- Some batches that follow each other, whole, and their partition's erasure mark, as of one snapshot.
--
-- Params   partition_id; from_batch, to_batch: the last offsets of the first and the last of them
-- Returns  a row for each, in order: the mark, last_offset, event_count, recorded_at, codec and records
-- Locks    none
-- Plan     streams_partition_pkey, streams_eventbatch_pkey
SELECT partition.erasure_mark, batch.last_offset, batch.event_count, batch.recorded_at, batch.codec, batch.records
  FROM streams_partition AS partition
  JOIN streams_eventbatch AS batch ON batch.partition_id = partition.id
 WHERE partition.id = %(partition_id)b::bigint
   AND batch.last_offset BETWEEN %(from_batch)b::bigint AND %(to_batch)b::bigint
 ORDER BY batch.last_offset;
