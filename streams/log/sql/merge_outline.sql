-- The batches that are to be looked at for merging, without their records.
--
-- Params   partition_id; max_batches at most
--          after: those up to this offset are left alone
--          recorded_before: younger ones too
-- Returns  a row for each, in order: the partition's merged_to and merge_due_head, the batch's last_offset, event_count,
--          recorded_at and codec, its stored bytes, and as many of them from its beginning as tell how large it is;
--          one with nulls in the batch's columns if there is none, and none if the partition does not exist
-- Locks    none
-- Plan     streams_partition_pkey, streams_eventbatch_pkey; of the records the first pages only
--
-- A head, if there is one (codecs from 2 on), takes less than 12,000 bytes with the header that follows it.
SELECT partition.merged_to, partition.merge_due_head, batch.last_offset, batch.event_count, batch.recorded_at, batch.codec,
       octet_length(batch.records),
       substring(batch.records FROM 1 FOR CASE WHEN batch.codec >= 2 THEN 12000 ELSE 18 END)
  FROM streams_partition AS partition
  LEFT JOIN LATERAL (
       SELECT last_offset, event_count, recorded_at, codec, records
         FROM streams_eventbatch
        WHERE partition_id = partition.id
          AND last_offset > greatest(partition.merged_to, partition.earliest_offset - 1, %(after)b::bigint)
        ORDER BY last_offset
        LIMIT %(max_batches)b::bigint) AS batch ON batch.recorded_at < %(recorded_before)b::timestamptz
 WHERE partition.id = %(partition_id)b::bigint
 ORDER BY batch.last_offset;
