-- Ack whole deliveries: their rows go, their events are counted as finished, the group's committed offsets move up to
-- what is finished now, and dead letters whose redrive was acked are resolved.
--
-- Params   group_id
--          delivery_ids, tokens: one element for each
-- Acts     ack
-- Returns  id, token, partition_id, first_offset, last_offset of each that was leased under that token; is_held_back:
--          another unfinished delivery stands before it that may be finished by now, so advance_offsets.sql must follow;
--          and the key_hash: unless it is null, let_next_go.sql must follow
-- Locks    the offset rows of their partitions, in order, then the deliveries
-- Plan     consumers_delivery_pkey, groupoffset_unique_per_partition; for the new committed offset the first entry of
--          delivery_of_an_event_unique_in_group that is not finished here
--
-- All of this sees one snapshot, taken before the offset rows were locked. What it computes from that is never too
-- high: the dispatched offset and the deliveries are read as of the same moment (`before`), and a seek since then shows
-- in the round. It may be too low, if somebody finished a delivery meanwhile that still looks unfinished here; then
-- is_held_back is true. What waits for longer than a statement may for a lock is not finished meanwhile: events for later
-- do not make every ack behind them look twice. (If somebody has it handed out by hand in between, the next ack moves the
-- offset, or find_held_back_offsets.sql.)
-- IS NOT DISTINCT FROM is = for what is never null, but no index serves it: the key alone finds the rows, whatever
-- the planner thinks of the group's size.
-- What did not go smoothly leaves its end in the history too; a plain first ack leaves none.
WITH asked AS MATERIALIZED (
    SELECT delivery.id, delivery.partition_id, wanted.token
      FROM unnest(%(delivery_ids)s::bigint[], %(tokens)s::uuid[]) AS wanted (id, token)
      JOIN consumers_delivery AS delivery ON delivery.id = wanted.id
     WHERE delivery.group_id IS NOT DISTINCT FROM %(group_id)s
), locked AS MATERIALIZED (
    SELECT id, partition_id, round
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id IN (SELECT partition_id FROM asked)
     ORDER BY partition_id
       FOR NO KEY UPDATE
), finished AS (
    DELETE FROM consumers_delivery AS delivery
     USING asked JOIN locked ON locked.partition_id = asked.partition_id
     WHERE delivery.id = asked.id
       AND delivery.state = 'leased'
       AND delivery.lease_token = asked.token
 RETURNING delivery.*
), remembered AS (
    INSERT INTO consumers_endedlease (lease_token, delivery_id, group_id, outcome, ended_at)
    SELECT lease_token, id, group_id, 'acked', statement_timestamp() FROM finished
), recorded AS (
    INSERT INTO consumers_deliveryhistory (
           group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
           leased_at, ended_at, error)
    SELECT group_id, partition_id, round, first_offset, last_offset, 'acked', delivery_count, failure_count, leased_by,
           leased_at, statement_timestamp(), ''
      FROM finished
     WHERE delivery_count > 1 OR dead_letter_id IS NOT NULL
), resolved AS (
    UPDATE consumers_deadletter AS dead
       SET status = 'resolved', closed_at = statement_timestamp()
      FROM finished
     WHERE dead.id = finished.dead_letter_id
       AND dead.status = 'redriven'
), redriven AS (
    UPDATE consumers_redrive AS redrive
       SET outcome = 'acked', ended_at = statement_timestamp()
      FROM finished
     WHERE redrive.dead_letter_id = finished.dead_letter_id
       AND redrive.outcome = 'pending'
), reached AS MATERIALIZED (
    SELECT before.id, before.partition_id, before.round, before.dispatched_offset,
           (SELECT unfinished.first_offset
              FROM consumers_delivery AS unfinished
             WHERE unfinished.group_id = %(group_id)s
               AND unfinished.partition_id = before.partition_id
               AND unfinished.dead_letter_id IS NULL
               AND unfinished.first_offset > before.committed_offset
               AND NOT EXISTS (SELECT FROM finished
                                WHERE finished.partition_id = unfinished.partition_id
                                  AND finished.first_offset = unfinished.first_offset
                                  AND finished.dead_letter_id IS NULL)
             ORDER BY unfinished.first_offset
             LIMIT 1) AS held_back_at
      FROM consumers_groupoffset AS before
     WHERE before.group_id = %(group_id)s
       AND before.partition_id IN (SELECT partition_id FROM finished)
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET finished_count = standing.finished_count + acked.event_count,
           committed_offset = greatest(standing.committed_offset, acked.reached_offset),
           committed_at = CASE WHEN standing.committed_offset < acked.reached_offset THEN statement_timestamp()
                               ELSE standing.committed_at END
      FROM (SELECT locked.id, coalesce(reached.held_back_at - 1, reached.dispatched_offset) AS reached_offset,
                   (SELECT sum(last_offset - first_offset + 1)::bigint
                      FROM finished
                     WHERE finished.partition_id = locked.partition_id) AS event_count
              FROM locked LEFT JOIN reached ON reached.id = locked.id AND reached.round = locked.round) AS acked
     WHERE standing.id = acked.id
       AND acked.event_count IS NOT NULL
)
SELECT finished.id, finished.lease_token, finished.partition_id, finished.first_offset, finished.last_offset,
       CASE WHEN reached.held_back_at IS NULL THEN false
            ELSE NOT EXISTS (SELECT FROM consumers_delivery AS later
                              WHERE later.group_id = %(group_id)s
                                AND later.partition_id = finished.partition_id
                                AND later.first_offset = reached.held_back_at
                                AND later.dead_letter_id IS NULL
                                AND later.state = 'waiting'
                                AND later.available_at > statement_timestamp() + interval '10 s'
                                AND coalesce(later.event_expires_at > statement_timestamp() + interval '10 s', true)) END,
       finished.key_hash
  FROM finished LEFT JOIN reached ON reached.partition_id = finished.partition_id;
