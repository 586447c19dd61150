-- The deliveries that are leased under the given tokens.
--
-- Params   group_id
--          delivery_ids, tokens: one element for each
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset, delivery_count, failure_count, is_alone,
--          suspect_limit, lease_token, leased_by, leased_at, and whether its events have expired
-- Locks    the rows returned, in id order; the caller holds their partitions' offset rows
-- Plan     consumers_delivery_pkey
--
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
SELECT delivery.id, delivery.partition_id, delivery.round, delivery.dead_letter_id, delivery.first_offset,
       delivery.last_offset, delivery.delivery_count, delivery.failure_count, delivery.is_alone,
       delivery.suspect_limit, delivery.lease_token, delivery.leased_by, delivery.leased_at,
       coalesce(delivery.event_expires_at <= statement_timestamp(), false)
  FROM consumers_delivery AS delivery
  JOIN unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS asked (id, token)
    ON asked.id = delivery.id AND asked.token = delivery.lease_token
 WHERE delivery.group_id IS NOT DISTINCT FROM %(group_id)s
   AND delivery.state = 'leased'
 ORDER BY delivery.id
   FOR NO KEY UPDATE OF delivery;
