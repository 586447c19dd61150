-- Take a partition's cursor, unless somebody else rolls that partition up at this moment.
--
-- Params   partition_id, stream_id
-- Returns  rolled_up_offset; no row if the cursor is taken, or was made by somebody else just now
-- Locks    the cursor's row, until the transaction ends
-- Plan     observability_rollupcursor_pkey
WITH made AS (
    INSERT INTO observability_rollupcursor (partition_id, stream_id, rolled_up_offset, rolled_up_bytes)
    SELECT %(partition_id)s::bigint, %(stream_id)s::bigint, 0, 0
     WHERE NOT EXISTS (SELECT FROM observability_rollupcursor WHERE partition_id = %(partition_id)s::bigint)
        ON CONFLICT (partition_id) DO NOTHING
 RETURNING rolled_up_offset
), taken AS (
    SELECT rolled_up_offset
      FROM observability_rollupcursor
     WHERE partition_id = %(partition_id)s::bigint
       FOR UPDATE SKIP LOCKED
)
SELECT rolled_up_offset FROM made
UNION ALL
SELECT rolled_up_offset FROM taken;
