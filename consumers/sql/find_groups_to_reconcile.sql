-- Groups with leases to take back or exhausted deliveries to move.
--
-- Params   none
-- Returns  id
-- Locks    none
-- Plan     the groups, and for each the first entry of delivery_leased_by_expiry and delivery_exhausted
SELECT id
  FROM consumers_consumergroup AS candidate
 WHERE mode = 'lease'
   AND (EXISTS (SELECT FROM consumers_delivery
                 WHERE group_id = candidate.id AND state = 'leased' AND lease_expires_at <= statement_timestamp())
        OR EXISTS (SELECT FROM consumers_delivery WHERE group_id = candidate.id AND state = 'exhausted'))
 ORDER BY id;
