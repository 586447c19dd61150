-- Send open dead letters to their group again: one delivery for each, outside the group's order.
--
-- Params   dead_letter_ids     of one group
--          key_hashes          one element for each of these: of its key, or null; kept where the order of keys is
--          group_id, requested_by, note, bulk_action_id (or null)
--          edited_event, difference     the same for all: null and '' but for a single one
-- Acts     redrive
-- Returns  dead_letter_id, round of each that was open, until now
-- Locks    the dead letters; the caller holds the offset rows of their partitions, so rounds are given out one by one
-- Plan     consumers_deadletter_pkey, deadletter_once_for_each_event_group_and_round, redrive_once_for_each_round
--
-- A round is new for its event: above every round of its dead letters and their redrives, and of what is handed out next.
WITH opened AS (
    UPDATE consumers_deadletter
       SET status = 'redriven'
     WHERE id = ANY (%(dead_letter_ids)s::bigint[])
       AND group_id = %(group_id)s
       AND status = 'open'
       AND event IS NOT NULL
 RETURNING id, partition_id, "offset"
), numbered AS (
    SELECT opened.id, opened.partition_id, opened."offset",
           (SELECT named.key_hash
              FROM unnest(%(dead_letter_ids)s::bigint[], %(key_hashes)s::bigint[]) AS named (id, key_hash)
              JOIN consumers_groupoffset AS standing
                ON standing.group_id = %(group_id)s
               AND standing.partition_id = opened.partition_id
               AND standing.key_order_after IS NOT NULL
             WHERE named.id = opened.id) AS key_hash,
           greatest((SELECT max(dead.round) FROM consumers_deadletter AS dead
                      WHERE dead.partition_id = opened.partition_id
                        AND dead."offset" = opened."offset"
                        AND dead.group_id = %(group_id)s),
                    (SELECT max(redrive.round)
                       FROM consumers_deadletter AS dead JOIN consumers_redrive AS redrive ON redrive.dead_letter_id = dead.id
                      WHERE dead.partition_id = opened.partition_id
                        AND dead."offset" = opened."offset"
                        AND dead.group_id = %(group_id)s),
                    (SELECT standing.round FROM consumers_groupoffset AS standing
                      WHERE standing.group_id = %(group_id)s
                        AND standing.partition_id = opened.partition_id))
           + row_number() OVER (PARTITION BY opened.partition_id, opened."offset" ORDER BY opened.id) AS round
      FROM opened
), recorded AS (
    INSERT INTO consumers_redrive (
           dead_letter_id, round, requested_by, requested_at, note, edited_event, difference, outcome, bulk_action_id)
    SELECT id, round, %(requested_by)s, statement_timestamp(), %(note)s, %(edited_event)s::bytea, %(difference)s, 'pending',
           %(bulk_action_id)s::bigint
      FROM numbered
), waiting AS (
    INSERT INTO consumers_delivery (
           group_id, partition_id, dead_letter_id, round, first_offset, last_offset, state, is_alone, delivery_count,
           failure_count, available_at, key_hash, leased_by, exhausted_reason, last_error, created_at)
    SELECT %(group_id)s, partition_id, id, round, "offset", "offset", 'waiting', false, 0,
           0, statement_timestamp(), key_hash, '', '', '', statement_timestamp()
      FROM numbered
)
SELECT id, round FROM numbered;
