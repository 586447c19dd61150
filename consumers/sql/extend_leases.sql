-- Keep leases for longer, counted from now; one that lasts longer already stays as it is.
--
-- Params   group_id, ack_wait
--          delivery_ids, tokens: one element for each
-- Returns  id, lease_expires_at of each that was leased under that token
-- Locks    the rows
-- Plan     consumers_delivery_pkey
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
UPDATE consumers_delivery AS delivery
   SET lease_expires_at = greatest(
           delivery.lease_expires_at, clock_timestamp() + make_interval(secs => %(ack_wait)s::float8))
  FROM (SELECT held.id
          FROM consumers_delivery AS held
          JOIN unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS asked (id, token)
            ON asked.id = held.id AND asked.token = held.lease_token
         WHERE held.group_id IS NOT DISTINCT FROM %(group_id)s
           AND held.state = 'leased'
         ORDER BY held.id
           FOR NO KEY UPDATE OF held) AS ours
 WHERE delivery.id = ours.id
RETURNING delivery.id, delivery.lease_expires_at;
