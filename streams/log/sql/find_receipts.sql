-- Look up what was answered before under idempotency keys.
--
-- Params   callers, keys
-- Returns  caller, key, request_hash, status, body of each that exists; and whether all partitions to which its
--          events went are still there
-- Locks    none; the claim before it has locked these rows
-- Plan     idempotency_key_unique_per_caller, streams_partition_pkey
SELECT record.caller, record.key, record.request_hash, record.status, record.body,
       NOT EXISTS (
           SELECT FROM unnest(record.partition_ids) AS went_to (id)
            WHERE NOT EXISTS (SELECT FROM streams_partition AS partition WHERE partition.id = went_to.id)
       )
  FROM unnest(%(callers)s::text[], %(keys)s::text[]) AS wanted (caller, key)
  JOIN accounts_idempotencyrecord AS record USING (caller, key);
