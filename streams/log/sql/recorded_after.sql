-- What tells when the first event after an offset was recorded, for many partitions at once.
--
-- Params   partition_ids, afters   arrays of the same length
-- Returns  in the order of the arrays the last_offset, event_count and recorded_at of the batch that holds it and, if that
--          was merged, its beginning with the times of its events; nulls where nothing follows
-- Locks    none
-- Plan     streams_partition_pkey, streams_eventbatch_pkey, one look-up in each for each partition
--
-- From the earliest offset on, as in read.sql: what stands in the index before it, until a vacuum, is not passed over.
SELECT batch.last_offset, batch.event_count, batch.recorded_at, batch.head
  FROM unnest(%(partition_ids)b::bigint[], %(afters)b::bigint[]) WITH ORDINALITY AS asked (partition_id, after, position)
  LEFT JOIN streams_partition AS partition ON partition.id = asked.partition_id
  LEFT JOIN LATERAL (
       SELECT last_offset, event_count, recorded_at,
              CASE WHEN codec >= 2 THEN substring(records FROM 1 FOR 12000) END AS head
         FROM streams_eventbatch
        WHERE partition_id = asked.partition_id
          AND last_offset > greatest(asked.after, partition.earliest_offset - 1)
        ORDER BY last_offset
        LIMIT 1) AS batch ON true
 ORDER BY asked.position;
