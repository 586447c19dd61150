-- Look at one kept batch: the first one that ends at or after an offset.
--
-- Params   partition_id, offset
-- Returns  its last_offset, event_count and recorded_at; none if there is no such batch
-- Locks    none
-- Plan     streams_eventbatch_pkey
SELECT last_offset, event_count, recorded_at
  FROM streams_eventbatch
 WHERE partition_id = %(partition_id)b::bigint
   AND last_offset >= %(offset)b::bigint
 ORDER BY last_offset
 LIMIT 1;
