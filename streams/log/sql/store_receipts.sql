-- Keep the answers to the requests of this commit, and where their events went.
--
-- Params   callers, keys, bodies: one element for each request
--          partition_ids: for each the text of an array, as arrays of arrays must be of one length
-- Returns  nothing
-- Locks    none beyond those of the claim
-- Plan     idempotency_key_unique_per_caller
UPDATE accounts_idempotencyrecord AS record
   SET status = 202, body = answered.body, partition_ids = answered.partition_ids::bigint[]
  FROM unnest(%(callers)s::text[], %(keys)s::text[], %(bodies)b::bytea[], %(partition_ids)s::text[])
       AS answered (caller, key, body, partition_ids)
 WHERE record.caller = answered.caller
   AND record.key = answered.key;
