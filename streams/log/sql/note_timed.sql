-- Note how far events reach that are for later or expire.
--
-- Apart from append.sql, in its transaction: appends without such events cost what they cost without this.
--
-- Params   partition_ids, offsets: one element for each partition
-- Returns  nothing
-- Locks    none of its own; the caller holds the partitions' rows
-- Plan     streams_partition_pkey
UPDATE streams_partition AS partition
   SET timed_through = noted.event_offset
  FROM unnest(%(partition_ids)b::bigint[], %(offsets)b::bigint[]) AS noted (id, event_offset)
 WHERE partition.id = noted.id;
