-- Forget the oldest ids of a partition: those of events recorded before a moment, and those up to an offset.
--
-- Params   partition_id; recorded_before; up_to: an offset, 0 for none; max_ids to look at
-- Returns  one row: how many went
-- Locks    the rows that go; appends of other ids go on
-- Plan     remembered_id_by_offset: from the partition's first id
--
-- Along a partition recorded_at never falls, so what may go is a front.
WITH oldest AS (
    SELECT ctid AS place, event_offset, recorded_at
      FROM streams_rememberedid
     WHERE partition_id = %(partition_id)s::bigint
     ORDER BY event_offset
     LIMIT %(max_ids)s::bigint
), gone AS (
    DELETE FROM streams_rememberedid
     WHERE ctid = ANY (ARRAY(
           SELECT place
             FROM oldest
            WHERE recorded_at < %(recorded_before)s::timestamptz
               OR event_offset <= %(up_to)s::bigint))
 RETURNING 1
)
SELECT count(*) FROM gone;
