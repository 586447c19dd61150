-- What was stored in streams under some ids, as far as it is remembered.
--
-- Params   stream_ids, counts: one element for each stream
--          digests: of the ids, stream after stream
-- Returns  stream_id, digest, the partition's number, event_offset, recorded_at of each that is remembered; and the
--          server's clock
-- Locks    none
-- Plan     streams_rememberedid_pkey for each stream, streams_partition_pkey for each id that is found
SELECT asked.stream_id, found.digest, partition.number, found.event_offset, found.recorded_at, clock_timestamp()
  FROM (SELECT stream_id, id_count, (sum(id_count) OVER (ORDER BY place) - id_count)::integer AS before
          FROM unnest(%(stream_ids)b::bigint[], %(counts)b::bigint[])
               WITH ORDINALITY AS listed (stream_id, id_count, place)) AS asked
 CROSS JOIN LATERAL (
       SELECT digest, partition_id, event_offset, recorded_at
         FROM streams_rememberedid
        WHERE stream_id = asked.stream_id
          AND digest = ANY ((%(digests)b::uuid[])[asked.before + 1:asked.before + asked.id_count])) AS found
  JOIN streams_partition AS partition ON partition.id = found.partition_id;
