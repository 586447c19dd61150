-- Add what was counted to the minutes and hours of a stream's event types.
--
-- Params   stream_id; lengths ('m' or 'h'), starts, types, events, bytes: arrays of the same length,
--          each (length, start, type) once
-- Returns  nothing
-- Locks    the rows, in ascending order
-- Plan     observability_typeperiod_pkey
INSERT INTO observability_typeperiod AS kept (stream_id, length, start, type, events, bytes)
SELECT %(stream_id)s::bigint, counted.length, counted.start, counted.type, counted.events, counted.bytes
  FROM unnest(%(lengths)s::text[], %(starts)s::timestamptz[], %(types)s::text[], %(events)s::bigint[],
              %(bytes)s::bigint[]) AS counted (length, start, type, events, bytes)
 ORDER BY counted.length, counted.start, counted.type
    ON CONFLICT (stream_id, length, start, type) DO UPDATE
   SET events = kept.events + excluded.events,
       bytes = kept.bytes + excluded.bytes;
