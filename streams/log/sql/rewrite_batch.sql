-- Put other records into a batch, as many as before: one of them was erased. Its partition gets another mark.
--
-- Params   partition_id, last_offset: of the batch
--          codec, records: what it holds from now on
--          mark: a number that the partition never had
-- Returns  nothing
-- Locks    the batch's row and the partition's, which the caller holds already
-- Plan     streams_eventbatch_pkey, streams_partition_pkey
--
-- What was ever appended stays counted as it was (appended_bytes); what is kept takes another size.
WITH before AS (
    SELECT octet_length(records) AS size
      FROM streams_eventbatch
     WHERE partition_id = %(partition_id)b::bigint
       AND last_offset = %(last_offset)b::bigint
), rewritten AS (
    UPDATE streams_eventbatch
       SET codec = %(codec)b::smallint,
           records = %(records)b::bytea
     WHERE partition_id = %(partition_id)b::bigint
       AND last_offset = %(last_offset)b::bigint
)
UPDATE streams_partition
   SET stored_bytes = stored_bytes - before.size + octet_length(%(records)b::bytea),
       erasure_mark = %(mark)b::bigint
  FROM before
 WHERE id = %(partition_id)b::bigint;
