-- Raise the counters of partitions that lie in other engines to what was seen of them there.
--
-- Params   partition_ids, head_offsets, earliest_offsets, recorded_ats, appended_bytes: one element for each partition
-- Returns  nothing
-- Locks    the partitions' rows, in id order, as append.sql takes them
-- Plan     streams_partition_pkey
--
-- The size of what is stored is estimated: as if all events had the mean size of those that we have appended.
WITH seen AS (
    SELECT *
      FROM unnest(%(partition_ids)s::bigint[], %(head_offsets)s::bigint[], %(earliest_offsets)s::bigint[],
                  %(recorded_ats)s::timestamptz[], %(appended_bytes)s::bigint[])
           AS partition (id, head_offset, earliest_offset, recorded_at, appended_bytes)
), raised AS (
    SELECT partition.id,
           greatest(partition.head_offset, seen.head_offset) AS head_offset,
           greatest(partition.earliest_offset, seen.earliest_offset) AS earliest_offset,
           greatest(partition.last_recorded_at, seen.recorded_at) AS last_recorded_at,
           partition.appended_bytes + seen.appended_bytes AS appended_bytes
      FROM streams_partition AS partition
      JOIN seen USING (id)
     WHERE partition.id = ANY (%(partition_ids)s::bigint[])
       AND partition.is_sealed
     ORDER BY partition.id
       FOR NO KEY UPDATE OF partition
)
UPDATE streams_partition AS partition
   SET head_offset = raised.head_offset,
       earliest_offset = least(raised.earliest_offset, raised.head_offset + 1),
       last_recorded_at = raised.last_recorded_at,
       appended_bytes = raised.appended_bytes,
       stored_bytes = CASE
           WHEN raised.head_offset = 0 THEN 0
           ELSE (raised.appended_bytes::numeric / raised.head_offset
                 * (raised.head_offset - least(raised.earliest_offset, raised.head_offset + 1) + 1))::bigint
       END
  FROM raised
 WHERE partition.id = raised.id
   AND (partition.head_offset, partition.earliest_offset, partition.last_recorded_at, partition.appended_bytes)
       IS DISTINCT FROM
       (raised.head_offset, least(raised.earliest_offset, raised.head_offset + 1), raised.last_recorded_at,
        raised.appended_bytes);
