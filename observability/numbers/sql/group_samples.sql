-- What was written down of a group in a range: the first sample in each step.
--
-- Params   group_id; first, until: the range; step; is_by_the_hour: whether the minutes are too many, or gone
-- Returns  minute, lag, finished_count, failed_count, dead_letter_count, in order of time
-- Locks    none
-- Plan     observability_groupminute_pkey or observability_grouphour_pkey, never both
--
-- What a release before wrote down has no lag.
SELECT DISTINCT ON (date_bin(%(step)s::interval, minute, timestamptz 'epoch'))
       minute, lag, finished_count, failed_count, dead_letter_count
  FROM (SELECT minute, lag, finished_count, failed_count, dead_letter_count
          FROM observability_groupminute
         WHERE NOT %(is_by_the_hour)s::boolean
           AND group_id = %(group_id)s
           AND minute >= %(first)s::timestamptz
           AND minute < %(until)s::timestamptz
           AND lag IS NOT NULL
         UNION ALL
        SELECT minute, lag, finished_count, failed_count, dead_letter_count
          FROM observability_grouphour
         WHERE %(is_by_the_hour)s::boolean
           AND group_id = %(group_id)s
           AND hour >= %(first)s::timestamptz
           AND hour < %(until)s::timestamptz) AS sample
 ORDER BY date_bin(%(step)s::interval, minute, timestamptz 'epoch'), minute;
