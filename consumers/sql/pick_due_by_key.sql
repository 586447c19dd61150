-- Of some due deliveries those that may be leased together: of each key one, and none of a key that somebody holds.
--
-- Params   group_id
--          delivery_ids
--          partition_ids   locked by the caller, so nobody else leases in them
-- Returns  id, partition_id, round, dead_letter_id, first_offset, last_offset, suspect_limit
-- Locks    the rows returned
-- Plan     consumers_delivery_pkey; for each delivery_of_a_key_leased_one_at_a_time
--
-- A key is looked up as the first one from itself to itself (let_next_go.sql). IS NOT DISTINCT FROM is = for what is never null,
-- but no index serves it: the key alone finds the rows, whatever the planner thinks of how many wait.
WITH found AS MATERIALIZED (
    SELECT id, row_number() OVER (PARTITION BY partition_id, coalesce(key_hash, id), key_hash IS NULL
                                  ORDER BY available_at, id) AS turn
      FROM consumers_delivery
     WHERE id = ANY (%(delivery_ids)s::bigint[])
       AND partition_id = ANY (%(partition_ids)s::bigint[])
       AND state IS NOT DISTINCT FROM 'waiting'
)
SELECT due.id, due.partition_id, due.round, due.dead_letter_id, due.first_offset, due.last_offset,
       due.suspect_limit
  FROM consumers_delivery AS due JOIN found ON found.id = due.id
 WHERE found.turn = 1
   AND due.state IS NOT DISTINCT FROM 'waiting'
   AND due.available_at <= statement_timestamp()
   AND (due.event_expires_at IS NULL OR due.event_expires_at > statement_timestamp())
   AND (due.key_hash IS NULL
        OR due.key_hash IS DISTINCT FROM (SELECT held.key_hash
                                            FROM consumers_delivery AS held
                                           WHERE held.group_id = %(group_id)s
                                             AND held.partition_id = due.partition_id
                                             AND held.key_hash BETWEEN due.key_hash AND due.key_hash
                                             AND held.state = 'leased'
                                           ORDER BY held.key_hash
                                           LIMIT 1))
 ORDER BY due.available_at
   FOR NO KEY UPDATE OF due SKIP LOCKED;
