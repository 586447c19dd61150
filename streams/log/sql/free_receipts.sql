-- Give back idempotency keys that this transaction claimed for requests that it refuses.
--
-- Params   callers, keys: one element for each request
-- Returns  nothing
-- Locks    none beyond those of the claim
-- Plan     idempotency_key_unique_per_caller
DELETE FROM accounts_idempotencyrecord AS record
 USING unnest(%(callers)s::text[], %(keys)s::text[]) AS freed (caller, key)
 WHERE record.caller = freed.caller
   AND record.key = freed.key;
