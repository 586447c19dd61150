-- Look up what was answered before under idempotency keys.
--
-- Params   callers, keys
-- Returns  caller, key, request_hash, status, body of each that exists
-- Locks    none; the claim before it has locked these rows
-- Plan     idempotency_key_unique_per_caller
SELECT record.caller, record.key, record.request_hash, record.status, record.body
  FROM unnest(%(callers)s::text[], %(keys)s::text[]) AS wanted (caller, key)
  JOIN accounts_idempotencyrecord AS record USING (caller, key);
