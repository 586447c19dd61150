-- Add to a group's counts what was handed out and then taken by retention before anybody finished it.
--
-- Params   group_id
--          partition_ids, first_offsets, last_offsets: one element for each range; each is told once
-- Returns  nothing
-- Locks    none of its own; the caller holds the offset rows
-- Plan     groupoffset_unique_per_partition
UPDATE consumers_groupoffset AS standing
   SET lost_count = standing.lost_count + lost.event_count,
       lost_first_offset = least(standing.lost_first_offset, lost.first_offset),
       lost_last_offset = greatest(standing.lost_last_offset, lost.last_offset),
       lost_at = statement_timestamp()
  FROM (SELECT partition_id, sum(last_offset - first_offset + 1)::bigint AS event_count,
               min(first_offset) AS first_offset, max(last_offset) AS last_offset
          FROM unnest(%(partition_ids)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[])
               AS told (partition_id, first_offset, last_offset)
         GROUP BY partition_id) AS lost
 WHERE standing.group_id = %(group_id)s
   AND standing.partition_id = lost.partition_id;
