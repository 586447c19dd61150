-- Take back leases whose events did not fit into the answer: nobody was given them, so they do not count.
--
-- Params   token, delivery_ids
-- Acts     put_back
-- Returns  id of each
-- Locks    the rows
-- Plan     consumers_delivery_pkey
UPDATE consumers_delivery
   SET state = 'waiting',
       delivery_count = delivery_count - 1,
       lease_token = NULL,
       lease_expires_at = NULL,
       available_at = statement_timestamp()
 WHERE id = ANY (%(delivery_ids)s::bigint[])
   AND state = 'leased'
   AND lease_token = %(token)s
RETURNING id;
