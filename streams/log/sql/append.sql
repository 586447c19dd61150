-- Give offsets to batches and store them, in any number of partitions, all or nothing.
--
-- Params   partition_ids, event_counts, stored_bytes, appended_bytes: one element for each partition
--          batch_partition_ids, distances, batch_event_counts, codecs, records: one element for each batch;
--          distance = events that follow the batch in this append, so its last offset is the new head - distance
-- Returns  a row for each partition that exists: id, head_offset and last_recorded_at after the append;
--          both are null, and nothing was stored, if any of the partitions does not exist
-- Locks    the partitions' rows, in id order: two appends can wait for each other but never in a circle
-- Plan     streams_partition_pkey for each partition
--
-- The clock is read again after a wait for the lock, and never goes back within a partition.
WITH growth AS (
    SELECT *
      FROM unnest(%(partition_ids)b::bigint[], %(event_counts)b::bigint[], %(stored_bytes)b::bigint[],
                  %(appended_bytes)b::bigint[])
           AS partition (id, event_count, stored_bytes, appended_bytes)
), locked AS (
    SELECT id
      FROM streams_partition
     WHERE id = ANY (%(partition_ids)b::bigint[])
     ORDER BY id
       FOR NO KEY UPDATE
), advanced AS (
    UPDATE streams_partition AS partition
       SET head_offset = partition.head_offset + growth.event_count,
           stored_bytes = partition.stored_bytes + growth.stored_bytes,
           appended_bytes = partition.appended_bytes + growth.appended_bytes,
           last_recorded_at = greatest(clock_timestamp(), partition.last_recorded_at)
      FROM locked JOIN growth USING (id)
     WHERE partition.id = locked.id
       AND (SELECT count(*) FROM locked) = cardinality(%(partition_ids)b::bigint[])
 RETURNING partition.id, partition.head_offset, partition.last_recorded_at
), stored AS (
    INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)
    SELECT advanced.id, advanced.head_offset - batch.distance, batch.event_count::integer, advanced.last_recorded_at,
           batch.codec::smallint, batch.records
      FROM unnest(%(batch_partition_ids)b::bigint[], %(distances)b::bigint[], %(batch_event_counts)b::bigint[],
                  %(codecs)b::bigint[], %(records)b::bytea[])
           AS batch (partition_id, distance, event_count, codec, records)
      JOIN advanced ON advanced.id = batch.partition_id
)
SELECT locked.id, advanced.head_offset, advanced.last_recorded_at
  FROM locked LEFT JOIN advanced USING (id);
