-- Move cursors past what has been counted.
--
-- Params   partition_ids, offsets, bytes, untils: arrays of the same length; until: when the last counted event was
--          recorded, null if retention had taken them all
-- Returns  nothing
-- Locks    none beyond those that the caller holds
-- Plan     observability_rollupcursor_pkey, streams_partition_pkey
--
-- Nobody can count the bytes of what retention took first. Where a cursor has come to the head, everything is behind it,
-- those too: else they would stand in what is not rolled up yet, for good.
UPDATE observability_rollupcursor AS cursor
   SET rolled_up_offset = moved.rolled_up_offset,
       rolled_up_bytes = CASE WHEN partition.head_offset = moved.rolled_up_offset THEN partition.appended_bytes
                              ELSE cursor.rolled_up_bytes + moved.bytes END,
       rolled_up_until = coalesce(moved.until, cursor.rolled_up_until)
  FROM unnest(%(partition_ids)s::bigint[], %(offsets)s::bigint[], %(bytes)s::bigint[], %(untils)s::timestamptz[])
       AS moved (partition_id, rolled_up_offset, bytes, until)
  LEFT JOIN streams_partition AS partition ON partition.id = moved.partition_id
 WHERE cursor.partition_id = moved.partition_id;
