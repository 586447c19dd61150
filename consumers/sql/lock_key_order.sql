-- Hold the offset row of a partition whose events are sorted by key, unless somebody else holds it.
--
-- Params   group_id, partition_id
-- Returns  one row if it is ours: whether everything is finished that was handed out before the order of keys was kept
--          (null: it is not kept, or not any more); and how many events are held up in all partitions of the group
-- Locks    the row
-- Plan     groupoffset_unique_per_partition
SELECT standing.committed_offset >= standing.key_order_after,
       (SELECT sum(held_up_count)::bigint FROM consumers_groupoffset WHERE group_id = %(group_id)s)
  FROM consumers_groupoffset AS standing
 WHERE standing.group_id = %(group_id)s
   AND standing.partition_id = %(partition_id)s
   FOR NO KEY UPDATE OF standing SKIP LOCKED;
