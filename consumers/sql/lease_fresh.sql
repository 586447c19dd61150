-- Hand out what nobody has had yet: advance the dispatched offset, and lease the range between.
--
-- Params   group_id, token, consumer, ack_wait, is_alone
--          in_order         only partitions in which everything handed out is finished
--          partition_ids, earliest_offsets, head_offsets, rooms: one element for each partition; room = most events
-- Acts     lease
--          A partition in which the order of keys is kept is passed by (lease_sorted.sql).
--          What retention took must be counted as lost (count_losses.sql): a partition where it is not is passed by.
-- Returns  for each partition that had something: its id, the offset that was next, the delivery's id, first and
--          last offset, round and expiry; no delivery (nulls) where retention had taken everything
-- Locks    these partitions' rows of the group; one that is locked by somebody else is passed by
-- Plan     groupoffset_unique_per_partition; delivery_leased_by_expiry if in_order
--
-- A row that changed since the snapshot is read again when it is locked, so all that is decided here is decided by
-- columns of that row. (The leased deliveries that in_order looks at are safe too: it locks the rows before.)
WITH wanted AS (
    SELECT *
      FROM unnest(%(partition_ids)s::bigint[], %(earliest_offsets)s::bigint[], %(head_offsets)s::bigint[],
                  %(rooms)s::bigint[])
           AS wanted (partition_id, earliest_offset, head_offset, room)
), locked AS (
    SELECT standing.partition_id, standing.round, wanted.head_offset, wanted.room,
           greatest(standing.dispatched_offset, standing.committed_offset) + 1 AS next_offset,
           greatest(standing.dispatched_offset, standing.committed_offset, standing.lost_through, wanted.earliest_offset - 1)
           + 1 AS first_offset
      FROM consumers_groupoffset AS standing
      JOIN wanted ON wanted.partition_id = standing.partition_id
     WHERE standing.group_id = %(group_id)s
       AND standing.key_order_after IS NULL
       AND greatest(standing.dispatched_offset, standing.committed_offset) < wanted.head_offset
       AND greatest(standing.dispatched_offset, standing.committed_offset, standing.lost_through)
           >= wanted.earliest_offset - 1
       AND (NOT %(in_order)s::boolean
            OR (standing.committed_offset >= standing.dispatched_offset
                AND NOT EXISTS (SELECT FROM consumers_delivery AS held
                                 WHERE held.group_id = %(group_id)s
                                   AND held.state = 'leased'
                                   AND held.partition_id = standing.partition_id)))
     ORDER BY standing.partition_id
       FOR NO KEY UPDATE OF standing SKIP LOCKED
), planned AS (
    SELECT partition_id, round, next_offset, first_offset, least(first_offset + room - 1, head_offset) AS last_offset
      FROM locked
), advanced AS (
    UPDATE consumers_groupoffset AS standing
       SET dispatched_offset = greatest(planned.last_offset, planned.first_offset - 1)
      FROM planned
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = planned.partition_id
), leased AS (
    INSERT INTO consumers_delivery (
           group_id, partition_id, round, first_offset, last_offset, state, is_alone, delivery_count, failure_count,
           lease_token, leased_by, leased_at, lease_expires_at, exhausted_reason, last_error, created_at)
    SELECT %(group_id)s, partition_id, round, first_offset, last_offset, 'leased', %(is_alone)s, 1, 0,
           %(token)s, %(consumer)s, now.at, now.at + make_interval(secs => %(ack_wait)s::float8), '', '', now.at
      FROM planned, (SELECT clock_timestamp() AS at) AS now
     WHERE first_offset <= last_offset
 RETURNING id, partition_id, lease_expires_at
)
SELECT planned.partition_id, planned.next_offset, leased.id, planned.first_offset, planned.last_offset, planned.round,
       leased.lease_expires_at
  FROM planned LEFT JOIN leased ON leased.partition_id = planned.partition_id;
