-- The oldest id that is remembered of each partition.
--
-- Params   partition_ids
-- Returns  for each partition with any: partition_id, event_offset and recorded_at of the oldest, head_offset of the
--          partition
-- Locks    none
-- Plan     remembered_id_by_offset and streams_rememberedfamily_pkey once for each partition
SELECT partition.id, oldest.event_offset, oldest.recorded_at, partition.head_offset
  FROM streams_partition AS partition
 CROSS JOIN LATERAL (
       (SELECT event_offset, recorded_at
          FROM streams_rememberedid
         WHERE partition_id = partition.id
         ORDER BY event_offset
         LIMIT 1)
        UNION ALL
       (SELECT first_offset, recorded_at
          FROM streams_rememberedfamily
         WHERE partition_id = partition.id
         ORDER BY first_offset
         LIMIT 1)
        ORDER BY event_offset
        LIMIT 1) AS oldest
 WHERE partition.id = ANY (%(partition_ids)s::bigint[]);
