-- Of some keys, which something is unfinished of in a partition, and of which somebody holds an event: one that is not
-- unfinished itself is a redrive.
--
-- Params   group_id, partition_id
--          key_hashes
-- Returns  key_hash, is_unfinished, is_held of each
-- Locks    none; the caller holds the partition's offset row, as does everybody who begins or ends any of this
-- Plan     for each key one entry of delivery_of_a_key_in_order and of delivery_of_a_key_leased_one_at_a_time: it does
--          not matter how many keys there are, or have been
--
-- A key is looked up as the first one from itself to itself: only its index has that order. With = the planner believes, of
-- one that has most of what is held up, that any row will do, and reads them all.
SELECT asked.key_hash,
       asked.key_hash IS NOT DISTINCT FROM (SELECT unfinished.key_hash
                                              FROM consumers_delivery AS unfinished
                                             WHERE unfinished.group_id = %(group_id)s
                                               AND unfinished.partition_id = %(partition_id)s
                                               AND unfinished.key_hash BETWEEN asked.key_hash AND asked.key_hash
                                               AND unfinished.dead_letter_id IS NULL
                                             ORDER BY unfinished.key_hash, unfinished.first_offset
                                             LIMIT 1),
       asked.key_hash IS NOT DISTINCT FROM (SELECT held.key_hash
                                              FROM consumers_delivery AS held
                                             WHERE held.group_id = %(group_id)s
                                               AND held.partition_id = %(partition_id)s
                                               AND held.key_hash BETWEEN asked.key_hash AND asked.key_hash
                                               AND held.state = 'leased'
                                             ORDER BY held.key_hash
                                             LIMIT 1)
  FROM unnest(%(key_hashes)s::bigint[]) AS asked (key_hash);
