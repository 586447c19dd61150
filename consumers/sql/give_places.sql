-- Let every group of a stream begin some of its partitions at their first event.
--
-- Params   stream_id; partition_ids: new ones, in which no group has a place yet
-- Returns  nothing
-- Locks    the rows that it makes; the caller holds the groups
-- Plan     group_name_unique_in_stream for the groups
INSERT INTO consumers_groupoffset (group_id, partition_id, committed_offset, dispatched_offset, start_offset, round,
       key_order_after)
SELECT reader.id, added.id, 0, 0, 0, 0,
       CASE WHEN reader.mode = 'lease' AND reader.ordering = 'key' THEN 0 END
  FROM consumers_consumergroup AS reader
 CROSS JOIN unnest(%(partition_ids)s::bigint[]) AS added (id)
 WHERE reader.stream_id = %(stream_id)s;
