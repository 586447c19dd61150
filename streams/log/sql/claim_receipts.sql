-- Claim idempotency keys for the requests of one commit; an expired one may be used again.
--
-- Params   callers, keys, request_hashes: one element for each request, sorted by caller and key
--          ttl_seconds
-- Returns  caller and key of each that is now ours; those missing were used before
-- Locks    the claimed and the conflicting rows, in the order given; waits for a transaction that claims the same
-- Plan     idempotency_key_unique_per_caller
INSERT INTO accounts_idempotencyrecord AS record
       (caller, key, request_hash, status, content_type, body, created_at, expires_at)
SELECT caller, key, request_hash, NULL, 'application/json', NULL, now(), now() + make_interval(secs => %(ttl_seconds)s)
  FROM unnest(%(callers)s::text[], %(keys)s::text[], %(request_hashes)b::bytea[])
       WITH ORDINALITY AS request (caller, key, request_hash, position)
 ORDER BY position
    ON CONFLICT (caller, key) DO UPDATE
   SET request_hash = excluded.request_hash, status = NULL, content_type = excluded.content_type, body = NULL,
       partition_ids = NULL, created_at = excluded.created_at, expires_at = excluded.expires_at
 WHERE record.expires_at < now()
RETURNING caller, key;
