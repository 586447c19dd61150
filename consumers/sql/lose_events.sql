-- End deliveries all of whose events retention took before they could be handed out.
--
-- Params   token, delivery_ids
-- Acts     lose
-- Returns  partition_id, key_hash of each: unless it is null, let_next_go.sql must follow
-- Locks    the rows; the caller holds the offset rows of their partitions
-- Plan     consumers_delivery_pkey
DELETE FROM consumers_delivery
 WHERE id = ANY (%(delivery_ids)s::bigint[])
   AND state = 'leased'
   AND lease_token = %(token)s
RETURNING partition_id, key_hash;
