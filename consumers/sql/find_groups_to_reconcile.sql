-- Groups with leases to take back, exhausted deliveries to move, or some whose events have expired before they were handed out.
--
-- Params   none
-- Returns  id
-- Locks    none
-- Plan     the groups, and for each the first entry of delivery_leased_by_expiry, delivery_exhausted and
--          delivery_to_lapse
SELECT id
  FROM consumers_consumergroup AS candidate
 WHERE mode = 'lease'
   AND (EXISTS (SELECT FROM consumers_delivery
                 WHERE group_id = candidate.id AND state = 'leased' AND lease_expires_at <= statement_timestamp())
        OR EXISTS (SELECT FROM consumers_delivery WHERE group_id = candidate.id AND state = 'exhausted')
        OR EXISTS (SELECT FROM consumers_delivery
                    WHERE group_id = candidate.id AND state IN ('waiting', 'held_up')
                      AND event_expires_at <= statement_timestamp()))
 ORDER BY id;
