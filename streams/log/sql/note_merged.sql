-- Note how far a partition's batches were looked at for merging, and from which head on to look again.
--
-- Params   partition_id, merged_to, due_head
--          before: its merged_to as it was read
-- Returns  its id; no row, and nothing was noted, if another one has merged there since
-- Locks    the partition's row, for this statement
-- Plan     streams_partition_pkey
UPDATE streams_partition
   SET merged_to = %(merged_to)b::bigint,
       merge_due_head = %(due_head)b::bigint
 WHERE id = %(partition_id)b::bigint
   AND merged_to = %(before)b::bigint
RETURNING id;
