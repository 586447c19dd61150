-- Forget the oldest families of a partition: those of events recorded before a moment, and those up to an offset.
--
-- Params   partition_id; recorded_before; up_to: an offset, 0 for none; max_families to look at
-- Returns  one row: how many ids went
-- Locks    the rows that go
-- Plan     streams_rememberedfamily_pkey: from the partition's first family
--
-- Along a partition recorded_at never falls, so what may go is a front.
WITH oldest AS (
    SELECT ctid AS place, first_offset + event_count - 1 AS last_offset, recorded_at
      FROM streams_rememberedfamily
     WHERE partition_id = %(partition_id)s::bigint
     ORDER BY first_offset
     LIMIT %(max_families)s::bigint
), gone AS (
    DELETE FROM streams_rememberedfamily
     WHERE ctid = ANY (ARRAY(
           SELECT place
             FROM oldest
            WHERE recorded_at < %(recorded_before)s::timestamptz
               OR last_offset <= %(up_to)s::bigint))
 RETURNING event_count
)
SELECT coalesce(sum(event_count), 0)::bigint FROM gone;
