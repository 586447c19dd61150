-- Delete whole batches from the front of a partition: those that any of the limits lets go.
--
-- Params   partition_id; max_batches to delete at most
--          after, up_to: of the offsets in between only
--          recorded_before: older batches may go          (or null)
--          keep_events: so many newest events must stay    (or null)
--          keep_bytes: so many newest stored bytes must stay (or null)
-- Returns  one row: how many events went, and whether nothing was done because batches changed before the lock was there;
--          none if the partition does not exist
-- Locks    the partition's row, so appends to it wait for this statement, which is why it is bounded
-- Plan     streams_partition_pkey, streams_eventbatch_pkey
--
-- Another trim may have committed while this one waited for the lock: earliest_offset, read under the lock, keeps
-- what it deleted, and this statement's snapshot still sees, from being counted twice.
-- Batches that were merged, or an erasure rewrote, while it waited are others than this snapshot sees: then the caller
-- tries again.
-- The front is a prefix: the first batch that must stay ends it, and recorded_at never falls along the log.
WITH seen AS (
    SELECT merged_to, erasure_mark
      FROM streams_partition
     WHERE id = %(partition_id)b::bigint
), locked AS (
    SELECT id, earliest_offset, head_offset, stored_bytes, merged_to, erasure_mark
      FROM streams_partition
     WHERE id = %(partition_id)b::bigint
       FOR NO KEY UPDATE
), partition AS (
    SELECT locked.id, locked.earliest_offset, locked.head_offset, locked.stored_bytes
      FROM locked
      JOIN seen USING (merged_to, erasure_mark)
), front AS (
    SELECT oldest.last_offset, oldest.event_count, octet_length(oldest.records) AS size,
           oldest.recorded_at < %(recorded_before)s::timestamptz
           OR partition.head_offset - oldest.last_offset >= %(keep_events)s::bigint
           OR partition.stored_bytes
              - sum(octet_length(oldest.records)) OVER (ORDER BY oldest.last_offset ROWS UNBOUNDED PRECEDING)
              >= %(keep_bytes)s::bigint AS may_go
      FROM partition
      CROSS JOIN LATERAL (
           SELECT last_offset, event_count, recorded_at, records
             FROM streams_eventbatch
            WHERE partition_id = partition.id
              AND last_offset >= greatest(partition.earliest_offset, %(after)b::bigint + 1)
              AND last_offset <= %(up_to)b::bigint
            ORDER BY last_offset
            LIMIT %(max_batches)b::bigint) AS oldest
), ending AS (
    SELECT max(last_offset) AS last_offset, coalesce(sum(event_count), 0) AS event_count, coalesce(sum(size), 0) AS size
      FROM front
     WHERE last_offset < coalesce((SELECT min(last_offset) FROM front WHERE may_go IS NOT TRUE), 9223372036854775807)
), deleted AS (
    DELETE FROM streams_eventbatch
     WHERE partition_id = %(partition_id)b::bigint
       AND last_offset > %(after)b::bigint
       AND last_offset <= (SELECT last_offset FROM ending)
), moved AS (
    UPDATE streams_partition
       SET earliest_offset = ending.last_offset + 1,
           -- Of a partition that also lies elsewhere it is an estimate.
           stored_bytes = greatest(0, streams_partition.stored_bytes - ending.size)
      FROM ending
     WHERE streams_partition.id = %(partition_id)b::bigint
       AND ending.last_offset IS NOT NULL
)
SELECT ending.event_count::bigint, NOT EXISTS (SELECT FROM partition) FROM locked CROSS JOIN ending;
