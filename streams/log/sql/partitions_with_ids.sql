-- The partitions of which ids are remembered, those that are gone too.
--
-- Params   after: where to go on, as of the last one returned; limit
-- Returns  partition_id of each, in order
-- Locks    none
-- Plan     remembered_id_by_offset, streams_rememberedfamily_pkey: from one partition's first id to the next one's
WITH RECURSIVE found AS (
    SELECT %(after)s::bigint AS partition_id
    UNION ALL
    SELECT least(
           (SELECT partition_id
              FROM streams_rememberedid
             WHERE partition_id > found.partition_id
             ORDER BY partition_id
             LIMIT 1),
           (SELECT partition_id
              FROM streams_rememberedfamily
             WHERE partition_id > found.partition_id
             ORDER BY partition_id
             LIMIT 1))
      FROM found
     WHERE found.partition_id IS NOT NULL
)
SELECT partition_id
  FROM found
 WHERE partition_id > %(after)s::bigint
 LIMIT %(limit)s::bigint;
