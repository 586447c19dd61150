-- Give offsets to batches and store them, in any number of partitions, all or nothing.
--
-- Params   partition_ids, event_counts, stored_bytes, appended_bytes: one element for each partition
--          placed_among: the same: among how many partitions its events were placed
--          batch_partition_ids, distances, batch_event_counts, codecs, records: one element for each batch;
--          distance = events that follow the batch in this append, so its last offset is the new head - distance
-- Returns  a row for each partition that exists, is not sealed and whose events were placed among as many as there are:
--          id, head_offset and last_recorded_at after the append; both are null, and nothing was stored, if any of the
--          partitions is not among them
-- Locks    the partitions' rows, in id order: two appends can wait for each other but never in a circle
-- Plan     streams_partition_pkey for each partition
--
-- The clock is read again after a wait for the lock, and never goes back within a partition.
WITH growth AS (
    SELECT *
      FROM unnest(%(partition_ids)b::bigint[], %(event_counts)b::bigint[], %(stored_bytes)b::bigint[],
                  %(appended_bytes)b::bigint[], %(placed_among)b::bigint[])
           AS partition (id, event_count, stored_bytes, appended_bytes, placed_among)
), locked AS (
    SELECT id, least_placed_among
      FROM streams_partition
     WHERE id = ANY (%(partition_ids)b::bigint[])
       AND NOT is_sealed
     ORDER BY id
       FOR NO KEY UPDATE
), open AS (
    -- As they are under the lock: partitions may have been added while it was waited for.
    SELECT id, growth.event_count, growth.stored_bytes, growth.appended_bytes
      FROM locked JOIN growth USING (id)
     WHERE growth.placed_among >= locked.least_placed_among
), advanced AS (
    UPDATE streams_partition AS partition
       SET head_offset = partition.head_offset + open.event_count,
           stored_bytes = partition.stored_bytes + open.stored_bytes,
           appended_bytes = partition.appended_bytes + open.appended_bytes,
           last_recorded_at = greatest(clock_timestamp(), partition.last_recorded_at)
      FROM open
     WHERE partition.id = open.id
       AND (SELECT count(*) FROM open) = cardinality(%(partition_ids)b::bigint[])
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
SELECT open.id, advanced.head_offset, advanced.last_recorded_at
  FROM open LEFT JOIN advanced USING (id);
