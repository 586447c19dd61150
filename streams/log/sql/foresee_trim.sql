-- Say what trims would delete from the front of partitions, were they repeated until nothing more goes.
--
-- Params   partition_ids
--          recorded_before, keep_events, keep_bytes: as for trim, the same for each partition (or null)
--          max_batches: so many of each partition's oldest are weighed, at most
-- Returns  a row for each partition that exists: id, earliest_offset, the first offset to stay (head + 1: none does),
--          whether more than that would go by bytes, beyond what was weighed, and of the batch that begins there (nulls:
--          nothing stays) last_offset, event_count, recorded_at and, if it was merged, its beginning
-- Locks    none
-- Plan     streams_partition_pkey, streams_eventbatch_pkey: a bisection by age, one look-up by count, a range by bytes
--
-- Along the log recorded_at never falls, and fewer events and bytes follow: what each limit lets go is a front, and the
-- longest of the three goes.
WITH RECURSIVE partition AS (
    SELECT id, earliest_offset, head_offset, stored_bytes
      FROM streams_partition
     WHERE id = ANY (%(partition_ids)s::bigint[])
), bisection AS (
    -- Everything before low was recorded before the moment; nothing from high on was. At the middle there may be no
    -- batch, nor behind it: a partition that was moved has offsets that lie elsewhere.
    SELECT id, earliest_offset AS low, head_offset + 1 AS high
      FROM partition
     WHERE %(recorded_before)s::timestamptz IS NOT NULL
    UNION ALL
    SELECT bisection.id,
           CASE WHEN middle.recorded_at < %(recorded_before)s::timestamptz THEN middle.last_offset + 1
                ELSE bisection.low END,
           CASE WHEN middle.recorded_at < %(recorded_before)s::timestamptz THEN bisection.high
                ELSE greatest(bisection.low,
                              least((bisection.low + bisection.high) / 2, middle.last_offset - middle.event_count + 1))
                END
      FROM bisection
      LEFT JOIN LATERAL (
           SELECT last_offset, event_count, recorded_at
             FROM streams_eventbatch
            WHERE partition_id = bisection.id
              AND last_offset >= (bisection.low + bisection.high) / 2
            ORDER BY last_offset
            LIMIT 1) AS middle ON true
     WHERE bisection.low < bisection.high
), front AS (
    SELECT partition.id, partition.earliest_offset,
           greatest(partition.earliest_offset, by_age.first_kept, by_count.last_gone + 1, by_bytes.last_gone + 1)
           AS first_kept,
           coalesce(by_bytes.is_cut, false) AS is_cut
      FROM partition
      LEFT JOIN (SELECT id, max(low) AS first_kept FROM bisection GROUP BY id) AS by_age ON by_age.id = partition.id
      CROSS JOIN LATERAL (
           SELECT max(last_offset) AS last_gone
             FROM streams_eventbatch
            WHERE partition_id = partition.id
              AND last_offset BETWEEN partition.earliest_offset AND partition.head_offset - %(keep_events)s::bigint
           ) AS by_count
      CROSS JOIN LATERAL (
           SELECT max(weighed.last_offset) FILTER (WHERE weighed.bytes_after >= %(keep_bytes)s::bigint) AS last_gone,
                  count(*) = %(max_batches)b::bigint AND min(weighed.bytes_after) >= %(keep_bytes)s::bigint AS is_cut
             FROM (SELECT oldest.last_offset,
                          partition.stored_bytes
                          - sum(oldest.size) OVER (ORDER BY oldest.last_offset ROWS UNBOUNDED PRECEDING) AS bytes_after
                     FROM (SELECT last_offset, octet_length(records) AS size
                             FROM streams_eventbatch
                            WHERE partition_id = partition.id
                              AND last_offset >= partition.earliest_offset
                              AND partition.stored_bytes > %(keep_bytes)s::bigint
                            ORDER BY last_offset
                            LIMIT %(max_batches)b::bigint) AS oldest) AS weighed
           ) AS by_bytes
)
SELECT front.id, front.earliest_offset, front.first_kept, front.is_cut,
       next.last_offset, next.event_count, next.recorded_at, next.head
  FROM front
  LEFT JOIN LATERAL (
       SELECT last_offset, event_count, recorded_at,
              CASE WHEN codec >= 2 THEN substring(records FROM 1 FOR 12000) END AS head
         FROM streams_eventbatch
        WHERE partition_id = front.id
          AND last_offset >= front.first_kept
        ORDER BY last_offset
        LIMIT 1) AS next ON true;
