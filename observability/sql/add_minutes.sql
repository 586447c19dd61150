-- Add what was counted to a stream's minutes.
--
-- Params   stream_id; minutes, events, bytes: arrays of the same length, each minute once
-- Returns  nothing
-- Locks    the minutes' rows; the caller holds the partition's cursor, and minutes come in ascending order
-- Plan     observability_streamminute_pkey
INSERT INTO observability_streamminute AS kept (stream_id, minute, events, bytes)
SELECT %(stream_id)s::bigint, counted.minute, counted.events, counted.bytes
  FROM unnest(%(minutes)s::timestamptz[], %(events)s::bigint[], %(bytes)s::bigint[]) AS counted (minute, events, bytes)
 ORDER BY counted.minute
    ON CONFLICT (stream_id, minute) DO UPDATE
   SET events = kept.events + excluded.events,
       bytes = kept.bytes + excluded.bytes;
