-- Advance one group's committed offset, unless it already stands there or further.
--
-- Params   group_id, partition_id, offset
-- Returns  one row if it advanced, none if it was outdated
-- Locks    the one row of this group and partition
-- Plan     groupoffset_unique_per_partition
UPDATE consumers_groupoffset
   SET committed_offset = %(offset)s,
       committed_at = now()
 WHERE group_id = %(group_id)s
   AND partition_id = %(partition_id)s
   AND committed_offset < %(offset)s
RETURNING committed_offset;
