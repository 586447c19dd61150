-- Add what was counted to streams' minutes.
--
-- Params   stream_ids, minutes, events, bytes: arrays of the same length, each stream's minute once
-- Returns  nothing
-- Locks    the minutes' rows, in ascending order: two that add can wait for each other but never in a circle
-- Plan     observability_streamminute_pkey
INSERT INTO observability_streamminute AS kept (stream_id, minute, events, bytes)
SELECT counted.*
  FROM unnest(%(stream_ids)s::bigint[], %(minutes)s::timestamptz[], %(events)s::bigint[], %(bytes)s::bigint[])
       AS counted (stream_id, minute, events, bytes)
 ORDER BY counted.stream_id, counted.minute
    ON CONFLICT (stream_id, minute) DO UPDATE
   SET events = kept.events + excluded.events,
       bytes = kept.bytes + excluded.bytes;
