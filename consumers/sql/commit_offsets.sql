-- Advance a group's committed offsets, each unless it already stands there or further; all of them or none. What they
-- pass over is finished now, but for what is in the count of losses.
--
-- None moves where one would pass over something that retention took and that is not counted as lost yet:
-- count_losses.sql comes first then.
--
-- Params   group_id
--          partition_ids, offsets, earliest_offsets: one element for each
-- Returns  partition_id, committed_offset before this, and whether losses are to be counted first, of each that there is
-- Locks    these rows, in order
-- Plan     groupoffset_unique_per_partition
WITH locked AS MATERIALIZED (
    SELECT standing.id, standing.partition_id, standing.committed_offset, wanted."offset",
           greatest(standing.committed_offset, standing.lost_through) < least(wanted."offset", wanted.earliest_offset - 1)
           AS has_uncounted
      FROM consumers_groupoffset AS standing
      JOIN unnest(%(partition_ids)s::bigint[], %(offsets)s::bigint[], %(earliest_offsets)s::bigint[])
           AS wanted (partition_id, "offset", earliest_offset) ON wanted.partition_id = standing.partition_id
     WHERE standing.group_id = %(group_id)s
     ORDER BY standing.partition_id
       FOR NO KEY UPDATE OF standing
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET committed_offset = locked."offset",
           committed_at = statement_timestamp(),
           finished_count = standing.finished_count
                            + greatest(0, locked."offset" - greatest(locked.committed_offset, standing.lost_through))
      FROM locked
     WHERE standing.id = locked.id
       AND locked."offset" > locked.committed_offset
       AND NOT EXISTS (SELECT FROM locked AS each WHERE each.has_uncounted)
)
SELECT partition_id, committed_offset, has_uncounted FROM locked;
