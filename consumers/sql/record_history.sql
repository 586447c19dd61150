-- Write down how leases ended that did not go smoothly, and count the events that failed, and those that did not.
--
-- Params   group_id, outcome
--          one element for each: partition_ids, rounds, first_offsets, last_offsets, delivery_counts, failure_counts,
--          consumers, leased_ats, errors; failed_counts: how many of its events count as failed; finished_counts: the
--          other events of the lease, which it finished
-- Returns  nothing
-- Locks    none of its own; the caller holds the offset rows
-- Plan     an insert; groupoffset_unique_per_partition
WITH counted AS (
    UPDATE consumers_groupoffset AS standing
       SET failed_count = standing.failed_count + ended.failed_count,
           finished_count = standing.finished_count + ended.finished_count
      FROM (SELECT partition_id, sum(failed_count)::bigint AS failed_count, sum(finished_count)::bigint AS finished_count
              FROM unnest(%(partition_ids)s::bigint[], %(failed_counts)s::bigint[], %(finished_counts)s::bigint[])
                   AS told (partition_id, failed_count, finished_count)
             GROUP BY partition_id) AS ended
     WHERE ended.failed_count + ended.finished_count > 0
       AND standing.group_id = %(group_id)s
       AND standing.partition_id = ended.partition_id
)
INSERT INTO consumers_deliveryhistory (
       group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
       leased_at, ended_at, error)
SELECT %(group_id)s, partition_id, round, first_offset, last_offset, %(outcome)s::text, delivery_count, failure_count,
       consumer, leased_at, statement_timestamp(), error
  FROM unnest(%(partition_ids)s::bigint[], %(rounds)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[],
              %(delivery_counts)s::bigint[], %(failure_counts)s::bigint[], %(consumers)s::text[],
              %(leased_ats)s::timestamptz[], %(errors)s::text[])
       AS ended (partition_id, round, first_offset, last_offset, delivery_count, failure_count, consumer, leased_at, error);
