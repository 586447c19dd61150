-- The stretches of partitions that lie in one engine each.
--
-- Params   partition_ids
-- Returns  partition_id, number, engine, topic, topic_id, first_offset, last_offset, base,
--          quarantine, is_external, is_read_only, in the order of the first two
-- Locks    none
-- Plan     streams_epoch_pkey
SELECT partition_id, number, engine, topic, topic_id, first_offset, last_offset, base, quarantine,
       is_external, is_read_only
  FROM streams_epoch
 WHERE partition_id = ANY (%(partition_ids)s::bigint[])
 ORDER BY partition_id, number;
