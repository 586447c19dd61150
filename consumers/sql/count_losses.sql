-- Add to a group's counts what retention took before it was handed out.
--
-- It is counted once: up to lost_through it is in the count already. No statement moves a group past what is not counted.
--
-- Params   group_id
--          partition_ids, earliest_offsets: one element for each
-- Returns  partition_id, first and last offset of what is counted now
-- Locks    these rows, in order
-- Plan     groupoffset_unique_per_partition
WITH locked AS MATERIALIZED (
    SELECT standing.id, wanted.earliest_offset - 1 AS last_offset,
           greatest(standing.committed_offset, standing.dispatched_offset, standing.lost_through) + 1 AS first_offset
      FROM consumers_groupoffset AS standing
      JOIN unnest(%(partition_ids)s::bigint[], %(earliest_offsets)s::bigint[]) AS wanted (partition_id, earliest_offset)
        ON wanted.partition_id = standing.partition_id
     WHERE standing.group_id = %(group_id)s
     ORDER BY standing.partition_id
       FOR NO KEY UPDATE OF standing
)
UPDATE consumers_groupoffset AS standing
   SET lost_count = standing.lost_count + locked.last_offset - locked.first_offset + 1,
       lost_through = locked.last_offset,
       lost_first_offset = least(standing.lost_first_offset, locked.first_offset),
       lost_last_offset = greatest(standing.lost_last_offset, locked.last_offset),
       lost_at = statement_timestamp()
  FROM locked
 WHERE standing.id = locked.id
   AND locked.first_offset <= locked.last_offset
RETURNING standing.partition_id, locked.first_offset, locked.last_offset;
