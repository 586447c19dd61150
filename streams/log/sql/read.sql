-- The ends of a partition, its erasure mark and the batches that follow an offset, as of one snapshot.
--
-- Params   partition_id, after
--          up_to         no batch behind this offset
--          max_batches   look at no more than these
--          max_bytes     stop after the batch with which this many stored bytes are reached
-- Returns  one row for each batch, in order, or one with nulls in the batch's columns if there is none;
--          no row if the partition does not exist
-- Locks    none
-- Plan     streams_partition_pkey, streams_eventbatch_pkey; the records beyond max_bytes are never fetched
--
-- From the earliest offset on: what retention took before stands in the index until a vacuum, and would be passed over
-- one by one.
SELECT partition.earliest_offset, partition.head_offset, partition.last_recorded_at, partition.timed_through,
       partition.is_sealed, partition.erasure_mark, batch.last_offset, batch.event_count, batch.recorded_at, batch.codec, batch.records
  FROM streams_partition AS partition
  LEFT JOIN LATERAL (
       SELECT *
         FROM (SELECT nearest.*,
                      sum(octet_length(records)) OVER (ORDER BY last_offset ROWS UNBOUNDED PRECEDING)
                      - octet_length(records) AS bytes_before
                 FROM (SELECT last_offset, event_count, recorded_at, codec, records
                         FROM streams_eventbatch
                        WHERE partition_id = partition.id
                          AND last_offset > greatest(%(after)b::bigint, partition.earliest_offset - 1)
                          AND last_offset <= %(up_to)b::bigint
                        ORDER BY last_offset
                        LIMIT %(max_batches)b::bigint) AS nearest) AS measured
        WHERE bytes_before < %(max_bytes)b::bigint) AS batch ON true
 WHERE partition.id = %(partition_id)b::bigint
 ORDER BY batch.last_offset;
