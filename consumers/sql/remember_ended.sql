-- Remember leases that their consumers ended, so that the same request again is answered as this one.
--
-- Params   group_id, outcome
--          delivery_ids, tokens: one element for each
-- Returns  nothing
-- Locks    none
-- Plan     an insert
INSERT INTO consumers_endedlease (lease_token, delivery_id, group_id, outcome, ended_at)
SELECT token, id, %(group_id)s, %(outcome)s, statement_timestamp()
  FROM unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS ended (id, token)
    ON CONFLICT DO NOTHING;
