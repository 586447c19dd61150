-- Hand out what nobody has had yet to several leases at once: advance the dispatched offsets, and deal out what lies
-- between. For one lease lease_fresh.sql costs less.
--
-- Params   group_id
--          wait_for         partitions whose holders are waited for; where the caller holds a delivery: none
--          partition_ids, earliest_offsets, head_offsets: one element for each partition, in the order to take from
--          tokens, consumers, ack_waits, rooms, are_empty: one element for each lease, in the order to serve;
--          room = most events, is_empty = its answer carries nothing else so far
--          A partition in which the order of keys is kept is passed by (lease_sorted.sql).
--          What retention took must be counted as lost (count_losses.sql): a partition where it is not is passed by.
-- Acts     lease
-- Returns  for each range: the lease (counted from 1), partition_id, round, first and last offset, the delivery's id and
--          expiry; without these two what retention had taken, told to the lease that came across it
-- Locks    these partitions' rows of the group: those to wait for in order; others that somebody holds are passed by
-- Plan     groupoffset_unique_per_partition
--
-- A row that changed since the snapshot is read again when it is locked, so all that is decided here is decided by
-- columns of that row.
-- Both sides are put on one line, event after event: a lease gets of a partition what lies at the same places.
WITH wanted AS (
    SELECT *
      FROM unnest(%(partition_ids)s::bigint[], %(earliest_offsets)s::bigint[], %(head_offsets)s::bigint[])
           WITH ORDINALITY AS wanted (partition_id, earliest_offset, head_offset, turn)
), asked AS (
    SELECT *, (sum(room) OVER (ORDER BY turn) - room)::bigint AS place
      FROM unnest(%(tokens)s::uuid[], %(consumers)s::text[], %(ack_waits)s::float8[], %(rooms)s::bigint[],
                  %(are_empty)s::boolean[])
           WITH ORDINALITY AS asked (token, consumer, ack_wait, room, is_empty, turn)
), waited AS MATERIALIZED (
    SELECT partition_id
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id = ANY (%(wait_for)s::bigint[])
     ORDER BY partition_id
       FOR NO KEY UPDATE
), locked AS MATERIALIZED (
    SELECT standing.partition_id, standing.round, wanted.head_offset, wanted.turn,
           greatest(standing.dispatched_offset, standing.committed_offset) + 1 AS next_offset,
           greatest(standing.dispatched_offset, standing.committed_offset, standing.lost_through, wanted.earliest_offset - 1)
           + 1 AS first_offset
      FROM consumers_groupoffset AS standing
      JOIN wanted ON wanted.partition_id = standing.partition_id
     WHERE (SELECT count(*) FROM waited) >= 0  -- which comes first
       AND standing.group_id = %(group_id)s
       AND standing.key_order_after IS NULL
       AND greatest(standing.dispatched_offset, standing.committed_offset) < wanted.head_offset
       AND greatest(standing.dispatched_offset, standing.committed_offset, standing.lost_through)
           >= wanted.earliest_offset - 1
     ORDER BY standing.partition_id
       FOR NO KEY UPDATE OF standing SKIP LOCKED
), counted AS (
    SELECT *, greatest(head_offset - first_offset + 1, 0) AS event_count FROM locked
), placed AS (
    SELECT *, (sum(event_count) OVER (ORDER BY turn) - event_count)::bigint AS place FROM counted
), touched AS MATERIALIZED (
    SELECT * FROM placed WHERE place < (SELECT sum(room) FROM asked)
), dealt AS MATERIALIZED (
    SELECT asked.*, touched.partition_id, touched.round,
           touched.first_offset + greatest(asked.place - touched.place, 0) AS first_offset,
           touched.first_offset + least(asked.place + asked.room - touched.place, touched.event_count) - 1 AS last_offset
      FROM asked
      JOIN touched ON asked.place < touched.place + touched.event_count AND touched.place < asked.place + asked.room
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET dispatched_offset = reached.dispatched_offset
      FROM (SELECT touched.partition_id, greatest(max(dealt.last_offset), touched.first_offset - 1) AS dispatched_offset
              FROM touched LEFT JOIN dealt ON dealt.partition_id = touched.partition_id
             GROUP BY touched.partition_id, touched.first_offset) AS reached
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = reached.partition_id
), leased AS (
    INSERT INTO consumers_delivery (
           group_id, partition_id, round, first_offset, last_offset, state, is_alone, delivery_count, failure_count,
           lease_token, leased_by, leased_at, lease_expires_at, exhausted_reason, last_error, created_at)
    SELECT %(group_id)s, partition_id, round, first_offset, last_offset, 'leased',
           is_empty AND sum(last_offset - first_offset + 1) OVER (PARTITION BY turn) = 1, 1, 0,
           token, consumer, now.at, now.at + make_interval(secs => ack_wait), '', '', now.at
      FROM dealt, (SELECT clock_timestamp() AS at) AS now
     ORDER BY turn, partition_id
 RETURNING id, partition_id, first_offset, lease_expires_at
)
SELECT dealt.turn, dealt.partition_id, dealt.round, dealt.first_offset, dealt.last_offset, leased.id,
       leased.lease_expires_at
  FROM dealt JOIN leased ON leased.partition_id = dealt.partition_id AND leased.first_offset = dealt.first_offset
 UNION ALL
SELECT (SELECT min(asked.turn) FROM asked WHERE touched.place < asked.place + asked.room), touched.partition_id,
       touched.round, touched.next_offset, touched.first_offset - 1, NULL, NULL
  FROM touched
 WHERE touched.next_offset < touched.first_offset
 ORDER BY 1, 2;
