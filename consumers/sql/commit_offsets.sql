-- Advance a group's committed offsets, each unless it already stands there or further.
--
-- Params   group_id
--          partition_ids, offsets: one element for each
-- Returns  partition_id, committed_offset before this, of each that there is
-- Locks    these rows, in order
-- Plan     groupoffset_unique_per_partition
WITH locked AS MATERIALIZED (
    SELECT id, partition_id, committed_offset
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id = ANY (%(partition_ids)s::bigint[])
     ORDER BY partition_id
       FOR NO KEY UPDATE
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET committed_offset = wanted."offset",
           committed_at = statement_timestamp()
      FROM locked
      JOIN unnest(%(partition_ids)s::bigint[], %(offsets)s::bigint[]) AS wanted (partition_id, "offset")
        ON wanted.partition_id = locked.partition_id AND wanted."offset" > locked.committed_offset
     WHERE standing.id = locked.id
)
SELECT partition_id, committed_offset FROM locked;
