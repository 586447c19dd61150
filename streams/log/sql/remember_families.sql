-- Remember the ids that the server made for events that this transaction has stored.
--
-- Params   partition_ids, first_offsets, event_counts, recorded_ats, families, members: one element for each family's
--          events in one partition
-- Returns  nothing
-- Locks    none: nobody else has these ids yet
-- Plan     streams_partition_pkey for each family
INSERT INTO streams_rememberedfamily
       (partition_id, first_offset, event_count, stream_id, family, members, recorded_at)
SELECT partition.id, made.first_offset, made.event_count::integer, partition.stream_id, made.family, made.members,
       made.recorded_at
  FROM unnest(%(partition_ids)b::bigint[], %(first_offsets)b::bigint[], %(event_counts)b::bigint[],
              %(recorded_ats)b::timestamptz[], %(families)b::uuid[], %(members)b::bytea[])
       AS made (partition_id, first_offset, event_count, recorded_at, family, members)
  JOIN streams_partition AS partition ON partition.id = made.partition_id;
