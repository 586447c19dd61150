-- Put one row in the place of several that follow each other, unless they are not as they were read.
--
-- Params   partition_id; from_batch, to_batch: the last offsets of the first and the last of them
--          first_offset, event_count, recorded_at: what they hold, from where on, and of when the newest is
--          codec, records: the same events as one batch
--          mark, before: the partition's erasure mark and merged_to when they were read
--          merged_to: what the latter is from now on; never what it was
-- Returns  the stored size of the several; no row, and nothing was changed, if retention took some of them, something in
--          the partition was erased, or something merged, or it does not exist
-- Locks    the partition's row, as appends, trims and erasures do, for this statement; then the rows that go
-- Plan     streams_partition_pkey, streams_eventbatch_pkey
--
-- The conditions are looked at again once the lock is there. While they hold, nobody has touched these rows since
-- they were read, so that this statement's older snapshot sees them as they are.
WITH partition AS (
    SELECT id
      FROM streams_partition
     WHERE id = %(partition_id)b::bigint
       AND merged_to = %(before)b::bigint
       AND erasure_mark = %(mark)b::bigint
       AND earliest_offset <= %(first_offset)b::bigint
       FOR NO KEY UPDATE
), several AS (
    SELECT partition.id, sum(octet_length(batch.records))::bigint AS size
      FROM partition
      JOIN streams_eventbatch AS batch ON batch.partition_id = partition.id
     WHERE batch.last_offset BETWEEN %(from_batch)b::bigint AND %(to_batch)b::bigint
     GROUP BY partition.id
), deleted AS (
    DELETE FROM streams_eventbatch AS batch
     USING partition
     WHERE batch.partition_id = partition.id
       AND batch.last_offset >= %(from_batch)b::bigint
       AND batch.last_offset < %(to_batch)b::bigint
), filled AS (
    UPDATE streams_eventbatch AS batch
       SET event_count = %(event_count)b::integer,
           recorded_at = %(recorded_at)b::timestamptz,
           codec = %(codec)b::smallint,
           records = %(records)b::bytea
      FROM partition
     WHERE batch.partition_id = partition.id
       AND batch.last_offset = %(to_batch)b::bigint
)
UPDATE streams_partition AS changed
   SET stored_bytes = changed.stored_bytes - several.size + octet_length(%(records)b::bytea),
       merged_to = %(merged_to)b::bigint
  FROM several
 WHERE changed.id = several.id
RETURNING several.size;
