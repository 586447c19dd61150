-- Keep events that a group gave up on, and count them; one that is there already, for this round, is left as it is.
--
-- Params   group_id
--          one element for each: partition_ids, offsets, rounds, events (null: lost), event_ids, event_types,
--          event_keys, reasons, delivery_counts, failure_counts, errors, fingerprints, reporters,
--          are_reported_copies
-- Returns  id, partition_id, offset, round of each that is new
-- Locks    none of its own; the caller holds the offset rows
-- Plan     deadletter_once_for_each_event_group_and_round, groupoffset_unique_per_partition
WITH added AS (
    INSERT INTO consumers_deadletter (
           group_id, partition_id, "offset", round, event, event_id, event_type, event_key, reason, status, delivery_count,
           failure_count, last_error, error_fingerprint, reported_by, is_reported_copy, created_at, closed_by, note)
    SELECT %(group_id)s, partition_id, event_offset, round, event, event_id, event_type, event_key, reason, 'open',
           delivery_count, failure_count, error, fingerprint, reporter, is_reported_copy, statement_timestamp(), '', ''
      FROM unnest(%(partition_ids)s::bigint[], %(offsets)s::bigint[], %(rounds)s::bigint[], %(events)b::bytea[],
                  %(event_ids)s::text[], %(event_types)s::text[], %(event_keys)s::text[], %(reasons)s::text[],
                  %(delivery_counts)s::bigint[], %(failure_counts)s::bigint[], %(errors)s::text[], %(fingerprints)s::text[],
                  %(reporters)s::text[], %(are_reported_copies)s::boolean[])
           AS dead (partition_id, event_offset, round, event, event_id, event_type, event_key, reason, delivery_count,
                    failure_count, error, fingerprint, reporter, is_reported_copy)
        ON CONFLICT DO NOTHING
    RETURNING id, partition_id, "offset", round
), counted AS (
    UPDATE consumers_groupoffset AS standing
       SET dead_letter_count = standing.dead_letter_count + new.event_count
      FROM (SELECT partition_id, count(*) AS event_count FROM added GROUP BY partition_id) AS new
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = new.partition_id
)
SELECT id, partition_id, "offset", round FROM added;
