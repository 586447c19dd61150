-- Delete roll-ups that have been kept long enough.
--
-- Params   before; groups_before for groups' minutes, hours_before for their hours; max_rows of each table
-- Returns  one row: how many went
-- Locks    the deleted rows
-- Plan     streamminute_by_age, typeperiod_by_age, groupminute_by_age, grouphour_by_age
WITH minutes AS (
    DELETE FROM observability_streamminute
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM observability_streamminute
                              WHERE minute < %(before)s::timestamptz LIMIT %(max_rows)s::bigint))
 RETURNING 1
), types AS (
    DELETE FROM observability_typeperiod
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM observability_typeperiod
                              WHERE start < %(before)s::timestamptz LIMIT %(max_rows)s::bigint))
 RETURNING 1
), groups AS (
    DELETE FROM observability_groupminute
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM observability_groupminute
                              WHERE minute < %(groups_before)s::timestamptz LIMIT %(max_rows)s::bigint))
 RETURNING 1
), hours AS (
    DELETE FROM observability_grouphour
     WHERE ctid = ANY (ARRAY(SELECT ctid FROM observability_grouphour
                              WHERE hour < %(hours_before)s::timestamptz LIMIT %(max_rows)s::bigint))
 RETURNING 1
)
SELECT (SELECT count(*) FROM minutes) + (SELECT count(*) FROM types) + (SELECT count(*) FROM groups)
       + (SELECT count(*) FROM hours);
