-- What was stored in streams under ids of some families, as far as it is remembered.
--
-- Params   stream_ids, families: one element for each family that is asked for in a stream
-- Returns  stream_id, family, the partition's number, first_offset, members, recorded_at of each part of a family that
--          is remembered; and the server's clock
-- Locks    none
-- Plan     remembered_family for each family, streams_partition_pkey for each part that is found
SELECT made.stream_id, made.family, partition.number, made.first_offset, made.members, made.recorded_at,
       clock_timestamp()
  FROM unnest(%(stream_ids)b::bigint[], %(families)b::uuid[]) AS asked (stream_id, family)
  JOIN streams_rememberedfamily AS made ON made.stream_id = asked.stream_id AND made.family = asked.family
  JOIN streams_partition AS partition ON partition.id = made.partition_id;
