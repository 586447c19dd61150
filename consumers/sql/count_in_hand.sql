-- Count the events that groups were handed and have not finished, and those that wait for their time.
--
-- Params   group_ids
--          max_scheduled   count no more deliveries of those that are for later, of each group
-- Returns  group_id, state, events of each that has some, and how many of them are under suspicion; the deliveries; of
--          what is scheduled, so many were counted, and when the first of them is due
-- Locks    none
-- Plan     delivery_leased_by_expiry, delivery_exhausted, delivery_waiting_by_due, delivery_failed_most, delivery_suspected; for what is
--          scheduled the first entries of delivery_scheduled: of a million the others are not looked at, by any branch
--
-- What waits is due, or is handed out alone, or has failed, or is under suspicion; all else that waits is scheduled. A lease that has expired
-- is nobody's any more: what it held waits (consumers/delivery_queries.py).
SELECT group_id, state, sum(last_offset - first_offset + 1)::bigint,
       coalesce(sum(last_offset - first_offset + 1) FILTER (WHERE suspect_limit > 0), 0)::bigint,
       count(*), min(available_at)
  FROM (SELECT group_id, first_offset, last_offset, suspect_limit, NULL::timestamptz AS available_at,
               CASE WHEN lease_expires_at <= statement_timestamp() THEN 'waiting' ELSE 'leased' END AS state
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'leased'
         UNION ALL
        SELECT group_id, first_offset, last_offset, 0, NULL, 'exhausted'
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'exhausted'
         UNION ALL
        SELECT group_id, first_offset, last_offset, suspect_limit, NULL, 'waiting'
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'waiting' AND is_alone
         UNION ALL
        SELECT group_id, first_offset, last_offset, suspect_limit, NULL, 'waiting'
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'waiting' AND NOT is_alone AND suspect_limit = 0
           AND available_at <= statement_timestamp()
         UNION ALL
        SELECT group_id, first_offset, last_offset, suspect_limit, NULL, 'waiting'
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'waiting' AND NOT is_alone AND suspect_limit = 0
           AND failure_count > 0 AND available_at > statement_timestamp()
         UNION ALL
        SELECT group_id, first_offset, last_offset, suspect_limit, NULL, 'waiting'
          FROM consumers_delivery
         WHERE group_id = ANY (%(group_ids)s::bigint[]) AND state = 'waiting' AND NOT is_alone AND suspect_limit > 0
         UNION ALL
        SELECT group_id, 1, sum(held_up_count)::bigint, 0, NULL, 'held_up'
          FROM consumers_groupoffset
         WHERE group_id = ANY (%(group_ids)s::bigint[])
         GROUP BY group_id
        HAVING sum(held_up_count) > 0
         UNION ALL
        SELECT wanted.group_id, later.first_offset, later.last_offset, 0, later.available_at, 'scheduled'
          FROM unnest(%(group_ids)s::bigint[]) AS wanted (group_id)
         CROSS JOIN LATERAL (SELECT first_offset, last_offset, available_at
                               FROM consumers_delivery
                              WHERE group_id = wanted.group_id AND state = 'waiting' AND delivery_count = 0
                                AND available_at > statement_timestamp()
                              ORDER BY available_at
                              LIMIT %(max_scheduled)s) AS later) AS in_hand
 GROUP BY group_id, state;
