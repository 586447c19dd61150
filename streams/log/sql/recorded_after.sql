-- When the first event after an offset was recorded, for many partitions at once.
--
-- Params   partition_ids, afters   arrays of the same length
-- Returns  recorded_at in the order of the arrays, null where nothing follows
-- Locks    none
-- Plan     streams_eventbatch_pkey, one look-up for each partition
SELECT batch.recorded_at
  FROM unnest(%(partition_ids)b::bigint[], %(afters)b::bigint[]) WITH ORDINALITY AS asked (partition_id, after, position)
  LEFT JOIN LATERAL (
       SELECT recorded_at
         FROM streams_eventbatch
        WHERE partition_id = asked.partition_id
          AND last_offset > asked.after
        ORDER BY last_offset
        LIMIT 1) AS batch ON true
 ORDER BY asked.position;
