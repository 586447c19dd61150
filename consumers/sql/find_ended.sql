-- How leases ended that exist no more, as far as it is remembered.
--
-- Params   group_id
--          delivery_ids, tokens: one element for each
-- Returns  delivery_id, token, outcome
-- Locks    none
-- Plan     consumers_endedlease_pkey
SELECT ended.delivery_id, ended.lease_token, ended.outcome
  FROM consumers_endedlease AS ended
  JOIN unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS asked (id, token)
    ON asked.token = ended.lease_token AND asked.id = ended.delivery_id
 WHERE ended.group_id = %(group_id)s;
