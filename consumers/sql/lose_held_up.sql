-- End what was held up by another event of its key and is gone: retention took it.
--
-- Params   group_id, partition_id, earliest_offset
-- Acts     lose
-- Returns  round, first and last offset of each range
-- Locks    these rows; the caller holds the partition's offset row
-- Plan     delivery_held_up, as far as it is gone
WITH gone AS (
    DELETE FROM consumers_delivery
     WHERE group_id = %(group_id)s
       AND partition_id = %(partition_id)s
       AND state = 'held_up'
       AND first_offset < %(earliest_offset)s::bigint
 RETURNING round, first_offset
), counted AS (
    UPDATE consumers_groupoffset AS standing
       SET held_up_count = standing.held_up_count - (SELECT count(*) FROM gone)
     WHERE standing.group_id = %(group_id)s
       AND standing.partition_id = %(partition_id)s
       AND EXISTS (SELECT FROM gone)
)
SELECT round, min(first_offset), max(first_offset)
  FROM (SELECT round, first_offset, first_offset - row_number() OVER (ORDER BY first_offset) AS stretch FROM gone) AS placed
 GROUP BY round, stretch
 ORDER BY 2;
