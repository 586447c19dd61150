-- Claim an idempotency key for this transaction, or take over one whose time is up.
--
-- Params   caller, key, request_hash, created_at, expires_at
-- Returns  one row if the key is ours now, none if it was used before
-- Locks    the key's row; waits for a transaction that is claiming it now
-- Plan     idempotency_key_unique_per_caller
INSERT INTO accounts_idempotencyrecord (caller, key, request_hash, content_type, created_at, expires_at)
VALUES (%(caller)s, %(key)s, %(request_hash)s, 'application/json', %(created_at)s, %(expires_at)s)
    ON CONFLICT (caller, key) DO UPDATE
   SET request_hash = excluded.request_hash, status = NULL, body = NULL, partition_ids = NULL,
       created_at = excluded.created_at, expires_at = excluded.expires_at
 WHERE accounts_idempotencyrecord.expires_at <= excluded.created_at
RETURNING id;
