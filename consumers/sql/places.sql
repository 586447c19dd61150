-- Where a group stands in each partition of its stream.
--
-- Params   group_id
-- Returns  partition_id, then what a Place has, in its order
-- Locks    nothing
-- Plan     groupoffset_unique_per_partition
SELECT partition_id, committed_offset, dispatched_offset, lost_through, lost_count, lost_acknowledged, filtered_count,
       expired_count
  FROM consumers_groupoffset
 WHERE group_id = %(group_id)s;
