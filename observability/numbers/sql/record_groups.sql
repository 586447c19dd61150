-- Write down where every group stands in this minute, unless somebody has done so already.
--
-- Params   minute
-- Returns  nothing
-- Locks    none that others wait for
-- Plan     all of consumers_groupoffset with streams_partition_pkey: one row for each group and partition
INSERT INTO observability_groupminute (group_id, minute, committed_offset, head_offset)
SELECT place.group_id, %(minute)s::timestamptz, sum(place.committed_offset)::bigint, sum(partition.head_offset)::bigint
  FROM consumers_groupoffset AS place
  JOIN streams_partition AS partition ON partition.id = place.partition_id
 GROUP BY place.group_id
    ON CONFLICT (group_id, minute) DO NOTHING;
