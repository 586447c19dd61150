-- Write down how leases ended that did not go smoothly.
--
-- Params   group_id, outcome
--          one element for each: partition_ids, rounds, first_offsets, last_offsets, delivery_counts, failure_counts,
--          consumers, leased_ats, errors
-- Returns  nothing
-- Locks    none
-- Plan     an insert
INSERT INTO consumers_deliveryhistory (
       group_id, partition_id, round, first_offset, last_offset, outcome, delivery_count, failure_count, consumer,
       leased_at, ended_at, error)
SELECT %(group_id)s, partition_id, round, first_offset, last_offset, %(outcome)s, delivery_count, failure_count, consumer,
       leased_at, statement_timestamp(), error
  FROM unnest(%(partition_ids)s::bigint[], %(rounds)s::bigint[], %(first_offsets)s::bigint[], %(last_offsets)s::bigint[],
              %(delivery_counts)s::bigint[], %(failure_counts)s::bigint[], %(consumers)s::text[],
              %(leased_ats)s::timestamptz[], %(errors)s::text[])
       AS ended (partition_id, round, first_offset, last_offset, delivery_count, failure_count, consumer, leased_at, error);
