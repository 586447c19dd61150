-- Hold idempotency keys that were claimed before, and say which of them were answered meanwhile.
--
-- Params   callers, keys
-- Returns  caller, key, status, body of each that exists; the last two are null while it is to be answered
-- Locks    these rows, in the order of caller and key
-- Plan     idempotency_key_unique_per_caller
SELECT record.caller, record.key, record.status, record.body
  FROM unnest(%(callers)s::text[], %(keys)s::text[]) AS wanted (caller, key)
  JOIN accounts_idempotencyrecord AS record USING (caller, key)
 ORDER BY record.caller, record.key
   FOR UPDATE OF record;
