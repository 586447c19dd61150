-- Write down where every group stands in this minute, and in this hour, unless somebody has done so already.
--
-- Params   minute; hour: in which it lies
-- Returns  nothing
-- Locks    none that others wait for
-- Plan     all of consumers_groupoffset with streams_partition_pkey: one row for each group and partition
WITH standing AS MATERIALIZED (
    SELECT place.group_id,
           sum(place.committed_offset)::bigint AS committed_offset,
           sum(partition.head_offset)::bigint AS head_offset,
           sum(greatest(partition.head_offset - greatest(place.committed_offset, partition.earliest_offset - 1), 0))::bigint
           AS lag,
           sum(place.finished_count)::bigint AS finished_count,
           sum(place.failed_count)::bigint AS failed_count,
           sum(place.dead_letter_count)::bigint AS dead_letter_count
      FROM consumers_groupoffset AS place
      JOIN streams_partition AS partition ON partition.id = place.partition_id
     GROUP BY place.group_id
), hours AS (
    INSERT INTO observability_grouphour (
           group_id, hour, minute, lag, finished_count, failed_count, dead_letter_count)
    SELECT group_id, %(hour)s::timestamptz, %(minute)s::timestamptz, lag, finished_count, failed_count, dead_letter_count
      FROM standing
        ON CONFLICT (group_id, hour) DO NOTHING
)
INSERT INTO observability_groupminute (
       group_id, minute, committed_offset, head_offset, lag, finished_count, failed_count, dead_letter_count)
SELECT group_id, %(minute)s::timestamptz, committed_offset, head_offset, lag, finished_count, failed_count,
       dead_letter_count
  FROM standing
    ON CONFLICT (group_id, minute) DO NOTHING;
