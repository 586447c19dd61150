-- The kept batch that holds an offset, or the first one after it.
--
-- Params   partition_id, offset
-- Returns  its last_offset, event_count, recorded_at, codec and records; none if there is no such batch
-- Locks    none
-- Plan     streams_eventbatch_pkey
SELECT last_offset, event_count, recorded_at, codec, records
  FROM streams_eventbatch
 WHERE partition_id = %(partition_id)b::bigint
   AND last_offset >= %(offset)b::bigint
 ORDER BY last_offset
 LIMIT 1;
