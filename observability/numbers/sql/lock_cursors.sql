-- Take the cursors of some partitions, but those that somebody else rolls up at this moment.
--
-- Params   partition_ids, stream_ids: arrays of the same length
-- Returns  partition_id, rolled_up_offset of each that is ours now
-- Locks    the cursors' rows, until the transaction ends; waits for nobody but who makes the same cursor anew
-- Plan     observability_rollupcursor_pkey
WITH made AS (
    INSERT INTO observability_rollupcursor (partition_id, stream_id, rolled_up_offset, rolled_up_bytes)
    SELECT wanted.partition_id, wanted.stream_id, 0, 0
      FROM unnest(%(partition_ids)s::bigint[], %(stream_ids)s::bigint[]) AS wanted (partition_id, stream_id)
     WHERE NOT EXISTS (SELECT FROM observability_rollupcursor AS kept WHERE kept.partition_id = wanted.partition_id)
     ORDER BY wanted.partition_id
        ON CONFLICT (partition_id) DO NOTHING
 RETURNING partition_id, rolled_up_offset
), taken AS (
    SELECT partition_id, rolled_up_offset
      FROM observability_rollupcursor
     WHERE partition_id = ANY (%(partition_ids)s::bigint[])
       FOR UPDATE SKIP LOCKED
)
SELECT * FROM made
UNION ALL
SELECT * FROM taken;
