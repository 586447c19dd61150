-- Take exhausted deliveries out of circulation up to an offset: what is left of one stays exhausted.
--
-- Params   delivery_ids, first_offsets, last_offsets (to take): one element for each
-- Acts     move
-- Returns  id of each that was still as it was found, another mover may have been here before; its partition_id, and its
--          key_hash: unless it is null, let_next_go.sql must follow
-- Locks    the rows; the caller holds the offset rows of their partitions
-- Plan     consumers_delivery_pkey
WITH wanted AS (
    SELECT *
      FROM unnest(%(delivery_ids)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[])
           AS wanted (id, first_offset, last_offset)
), emptied AS (
    DELETE FROM consumers_delivery AS delivery
     USING wanted
     WHERE delivery.id = wanted.id
       AND delivery.state = 'exhausted'
       AND delivery.first_offset = wanted.first_offset
       AND delivery.last_offset = wanted.last_offset
 RETURNING delivery.id, delivery.partition_id, delivery.key_hash
), shortened AS (
    UPDATE consumers_delivery AS delivery
       SET first_offset = wanted.last_offset + 1
      FROM wanted
     WHERE delivery.id = wanted.id
       AND delivery.state = 'exhausted'
       AND delivery.first_offset = wanted.first_offset
       AND delivery.last_offset > wanted.last_offset
 RETURNING delivery.id, delivery.partition_id
)
SELECT id, partition_id, key_hash FROM emptied UNION ALL SELECT id, partition_id, NULL FROM shortened;
