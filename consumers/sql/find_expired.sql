-- Leases whose time is over, by the database's clock, the longest first.
--
-- Params   group_id, max_rows
-- Returns  id
-- Locks    none: whoever takes them back holds them and looks again
-- Plan     delivery_leased_by_expiry, from its first entry
SELECT id
  FROM consumers_delivery
 WHERE group_id = %(group_id)s
   AND state = 'leased'
   AND lease_expires_at <= statement_timestamp()
 ORDER BY lease_expires_at
 LIMIT %(max_rows)s;
