-- Remember the ids of events that this transaction has stored.
--
-- Params   partition_ids, first_offsets, counts, recorded_ats: one element for each run of events that follow each other
--          digests: of the ids, run after run
-- Returns  nothing
-- Locks    the ids, in their order: one that another transaction stores at this moment is waited for. The partitions'
--          rows are held already, all of them, so nobody waits in a circle
-- Plan     streams_partition_pkey for each run
-- Fails    unique_violation of streams_rememberedid_pkey: an id is remembered already
INSERT INTO streams_rememberedid (stream_id, digest, partition_id, event_offset, recorded_at)
SELECT partition.stream_id, event.digest, partition.id, run.first_offset + event.place - 1, run.recorded_at
  FROM (SELECT *, (sum(event_count) OVER (ORDER BY number) - event_count)::integer AS before
          FROM unnest(%(partition_ids)b::bigint[], %(first_offsets)b::bigint[], %(counts)b::bigint[],
                      %(recorded_ats)b::timestamptz[])
               WITH ORDINALITY AS listed (partition_id, first_offset, event_count, recorded_at, number)) AS run
  JOIN streams_partition AS partition ON partition.id = run.partition_id
 CROSS JOIN LATERAL unnest((%(digests)b::uuid[])[run.before + 1:run.before + run.event_count])
       WITH ORDINALITY AS event (digest, place)
 ORDER BY partition.stream_id, event.digest;
