-- When the first event after an offset was recorded, for many partitions at once.
--
-- Params   partition_ids, afters   arrays of the same length
-- Returns  partition_id, recorded_at; no row where nothing follows
-- Locks    none
-- Plan     streams_eventbatch_pkey, one look-up for each partition
SELECT asked.partition_id, batch.recorded_at
  FROM unnest(%(partition_ids)s::bigint[], %(afters)s::bigint[]) AS asked (partition_id, after)
 CROSS JOIN LATERAL (
       SELECT recorded_at
         FROM streams_eventbatch
        WHERE partition_id = asked.partition_id
          AND last_offset > asked.after
        ORDER BY last_offset
        LIMIT 1) AS batch;
