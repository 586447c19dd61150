-- Move a group's committed offsets up to what is finished now.
--
-- Everything up to the smallest offset of an unfinished delivery is finished; without one, all that was handed out.
-- Whoever finished a delivery runs this after it (or in the same transaction, holding the offset row): of several at
-- once the one that looks last sees what all have finished. A seek since the snapshot shows in the round.
--
-- Params   group_id
--          partition_ids
-- Returns  partition_id, committed_offset of each that moved
-- Locks    the offset rows of all these partitions, in order
-- Plan     groupoffset_unique_per_partition, and the first entry of delivery_of_an_event_unique_in_group
WITH locked AS MATERIALIZED (
    SELECT id, round
      FROM consumers_groupoffset
     WHERE group_id = %(group_id)s
       AND partition_id = ANY (%(partition_ids)s::bigint[])
     ORDER BY partition_id
       FOR NO KEY UPDATE
)
UPDATE consumers_groupoffset AS standing
   SET committed_offset = reached.committed_offset,
       committed_at = statement_timestamp()
  FROM (SELECT before.id, before.round,
               coalesce((SELECT unfinished.first_offset - 1
                           FROM consumers_delivery AS unfinished
                          WHERE unfinished.group_id = %(group_id)s
                            AND unfinished.partition_id = before.partition_id
                            AND unfinished.dead_letter_id IS NULL
                            AND unfinished.first_offset > before.committed_offset
                          ORDER BY unfinished.first_offset
                          LIMIT 1),
                        before.dispatched_offset) AS committed_offset
          FROM consumers_groupoffset AS before
         WHERE before.group_id = %(group_id)s
           AND before.partition_id = ANY (%(partition_ids)s::bigint[])) AS reached
  JOIN locked ON locked.id = reached.id AND locked.round = reached.round
 WHERE standing.id = reached.id
   AND standing.committed_offset < reached.committed_offset
RETURNING standing.partition_id, standing.committed_offset;
