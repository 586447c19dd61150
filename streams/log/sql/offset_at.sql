-- Look at one kept batch: the first one that ends at or after an offset.
--
-- Params   partition_id, offset
-- Returns  its last_offset, event_count, recorded_at and, if it was merged, its beginning with the times of its events;
--          none if there is no such batch
-- Locks    none
-- Plan     streams_eventbatch_pkey
SELECT last_offset, event_count, recorded_at,
       CASE WHEN codec >= 2 THEN substring(records FROM 1 FOR 12000) END
  FROM streams_eventbatch
 WHERE partition_id = %(partition_id)b::bigint
   AND last_offset >= %(offset)b::bigint
 ORDER BY last_offset
 LIMIT 1;
