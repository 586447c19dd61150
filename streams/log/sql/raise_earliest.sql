-- Raise where partitions begin to what was seen of stretches elsewhere, of those that are appended to here again.
--
-- Params   partition_ids, earliest_offsets: one element for each partition
-- Returns  nothing
-- Locks    the partitions' rows, in id order, as append.sql takes them
-- Plan     streams_partition_pkey
--
-- The size of what is stored is estimated: as if all events had the same.
WITH seen AS (
    SELECT *
      FROM unnest(%(partition_ids)s::bigint[], %(earliest_offsets)s::bigint[]) AS partition (id, earliest_offset)
), raised AS (
    SELECT partition.id, partition.earliest_offset AS before,
           least(seen.earliest_offset, partition.head_offset + 1) AS earliest_offset
      FROM streams_partition AS partition
      JOIN seen USING (id)
     WHERE partition.id = ANY (%(partition_ids)s::bigint[])
       AND NOT partition.is_sealed
       AND partition.earliest_offset < seen.earliest_offset
     ORDER BY partition.id
       FOR NO KEY UPDATE OF partition
)
UPDATE streams_partition AS partition
   SET earliest_offset = raised.earliest_offset,
       stored_bytes = CASE
           WHEN partition.head_offset < raised.before THEN partition.stored_bytes
           ELSE (partition.stored_bytes::numeric * (partition.head_offset - raised.earliest_offset + 1)
                 / (partition.head_offset - raised.before + 1))::bigint
       END
  FROM raised
 WHERE partition.id = raised.id
   AND raised.earliest_offset > partition.earliest_offset;
