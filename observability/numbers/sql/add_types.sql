-- Add what was counted to the minutes and hours of streams' event types.
--
-- Params   stream_ids, lengths ('m' or 'h'), starts, types, events, bytes: arrays of the same length,
--          each (stream, length, start, type) once
-- Returns  nothing
-- Locks    the rows, in ascending order; always after the minutes of add_minutes.sql
-- Plan     observability_typeperiod_pkey
INSERT INTO observability_typeperiod AS kept (stream_id, length, start, type, events, bytes)
SELECT counted.*
  FROM unnest(%(stream_ids)s::bigint[], %(lengths)s::text[], %(starts)s::timestamptz[], %(types)s::text[],
              %(events)s::bigint[], %(bytes)s::bigint[]) AS counted (stream_id, length, start, type, events, bytes)
 ORDER BY counted.stream_id, counted.length, counted.start, counted.type
    ON CONFLICT (stream_id, length, start, type) DO UPDATE
   SET events = kept.events + excluded.events,
       bytes = kept.bytes + excluded.bytes;
