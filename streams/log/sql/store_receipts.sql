-- Keep the answers to the requests of this commit.
--
-- Params   callers, keys, bodies
-- Returns  nothing
-- Locks    none beyond those of the claim
-- Plan     idempotency_key_unique_per_caller
UPDATE accounts_idempotencyrecord AS record
   SET status = 202, body = answered.body
  FROM unnest(%(callers)s::text[], %(keys)s::text[], %(bodies)b::bytea[]) AS answered (caller, key, body)
 WHERE record.caller = answered.caller
   AND record.key = answered.key;
