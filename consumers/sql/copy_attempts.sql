-- Give new dead letters their attempts: history is kept for less long than they are.
--
-- Params   group_id, dead_letter_ids
--          max_range    a delivery is never longer than this
-- Returns  nothing
-- Locks    none
-- Plan     deliveryhistory_by_offset: the entries at most max_range before each offset
INSERT INTO consumers_deadletterattempt (dead_letter_id, number, outcome, consumer, leased_at, ended_at, error)
SELECT dead.id, history.delivery_count, history.outcome, history.consumer, history.leased_at, history.ended_at,
       history.error
  FROM consumers_deadletter AS dead
  JOIN consumers_deliveryhistory AS history
    ON history.partition_id = dead.partition_id
   AND history.first_offset > dead."offset" - %(max_range)s
   AND history.first_offset <= dead."offset"
   AND history.last_offset >= dead."offset"
   AND history.group_id = dead.group_id
   AND history.round = dead.round
   AND history.outcome NOT IN ('lost', 'skipped', 'lapsed', 'acked')
 WHERE dead.id = ANY (%(dead_letter_ids)s::bigint[])
 ORDER BY dead.id, history.id;
