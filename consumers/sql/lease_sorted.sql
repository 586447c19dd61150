-- Write down how the next events of a partition were sorted: lease those that are handed out, let those wait that are
-- for later or for their key's turn, and count as finished what nobody is given.
--
-- Params   group_id, partition_id, token, consumer, ack_wait
--          after            how far the partition was handed out when they were read: if that has changed since, nothing
--                           is done, as somebody else has sorted them
--          first_offset     of the first of them; what lies between is lost, and must be counted as such (count_losses.sql)
--          reached          the offset of the last of them
--          in_order         only if everything handed out is finished
--          by_key           whether the order of keys is kept; if the partition sees that otherwise by now, nothing is done
--          is_alone         what is leased is all that its answer carries
--          filtered, expired: how many of them nobody is given, and why
--          first_offsets, last_offsets, are_held_up, available_ats (null: leased at once, unless it is held up),
--          due_ats (of what is for later), event_expires_ats, key_hashes: one element for each delivery
--          lapsed_first_offsets, lapsed_last_offsets: those that have expired; none is longer than a delivery
-- Acts     lease
-- Returns  for each that was leased: its id, first and last offset, round and expiry; one row of nulls but for the round
--          if none was; no row if nothing was done
-- Locks    the partition's row of the group; if somebody else has it, nothing is done
-- Plan     groupoffset_unique_per_partition; delivery_leased_by_expiry if in_order
--
-- A row that changed since the snapshot is read again when it is locked, so all that is decided here is decided by
-- columns of that row. (The leased deliveries that in_order looks at are safe too: whoever asks for it holds the row.)
WITH locked AS MATERIALIZED (
    SELECT standing.id, standing.round
      FROM consumers_groupoffset AS standing
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = %(partition_id)s
       AND greatest(standing.dispatched_offset, standing.committed_offset) = %(after)s::bigint
       AND greatest(standing.dispatched_offset, standing.committed_offset, standing.lost_through)
           >= %(first_offset)s::bigint - 1
       AND (standing.key_order_after IS NOT NULL) = %(by_key)s::boolean
       AND (NOT %(in_order)s::boolean
            OR (standing.committed_offset >= standing.dispatched_offset
                AND NOT EXISTS (SELECT FROM consumers_delivery AS held
                                 WHERE held.group_id = %(group_id)s
                                   AND held.state = 'leased'
                                   AND held.partition_id = standing.partition_id)))
       FOR NO KEY UPDATE OF standing SKIP LOCKED
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET dispatched_offset = %(reached)s,
           filtered_count = standing.filtered_count + %(filtered)s,
           expired_count = standing.expired_count + %(expired)s,
           finished_count = standing.finished_count + %(filtered)s + %(expired)s,
           held_up_count = standing.held_up_count + (SELECT count(*) FROM unnest(%(are_held_up)s::boolean[]) AS is_so
                                                      WHERE is_so)
      FROM locked
     WHERE standing.id = locked.id
), recorded AS (
    INSERT INTO consumers_deliveryhistory (
           group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
           leased_at, ended_at, error)
    SELECT %(group_id)s, %(partition_id)s, locked.round, lapsed.first_offset, lapsed.last_offset, 'lapsed', 0, 0, '',
           NULL, statement_timestamp(), ''
      FROM locked, unnest(%(lapsed_first_offsets)s::bigint[], %(lapsed_last_offsets)s::bigint[])
                   AS lapsed (first_offset, last_offset)
), made AS (
    INSERT INTO consumers_delivery (
           group_id, partition_id, round, first_offset, last_offset, state, is_alone, delivery_count, failure_count,
           lease_token, leased_by, leased_at, lease_expires_at, available_at, due_at, event_expires_at, key_hash,
           exhausted_reason, last_error, created_at)
    SELECT %(group_id)s, %(partition_id)s, locked.round, piece.first_offset, piece.last_offset,
           CASE WHEN piece.is_leased THEN 'leased' WHEN piece.is_held_up THEN 'held_up' ELSE 'waiting' END,
           piece.is_leased AND %(is_alone)s::boolean, piece.is_leased::integer, 0,
           CASE WHEN piece.is_leased THEN %(token)s::uuid END, CASE WHEN piece.is_leased THEN %(consumer)s ELSE '' END,
           CASE WHEN piece.is_leased THEN now.at END,
           CASE WHEN piece.is_leased THEN now.at + make_interval(secs => %(ack_wait)s::float8) END,
           piece.available_at, piece.due_at, piece.event_expires_at, piece.key_hash, '', '', now.at
      FROM locked, (SELECT clock_timestamp() AS at) AS now,
           (SELECT *, available_at IS NULL AND NOT is_held_up AS is_leased
              FROM unnest(%(first_offsets)s::bigint[], %(last_offsets)s::bigint[], %(are_held_up)s::boolean[],
                          %(available_ats)s::timestamptz[], %(due_ats)s::timestamptz[],
                          %(event_expires_ats)s::timestamptz[], %(key_hashes)s::bigint[])
                   WITH ORDINALITY
                   AS piece (first_offset, last_offset, is_held_up, available_at, due_at, event_expires_at, key_hash, turn)
           ) AS piece
     ORDER BY piece.turn
 RETURNING id, first_offset, last_offset, lease_expires_at
)
SELECT made.id, made.first_offset, made.last_offset, locked.round, made.lease_expires_at
  FROM locked LEFT JOIN made ON made.lease_expires_at IS NOT NULL
 ORDER BY made.first_offset;
