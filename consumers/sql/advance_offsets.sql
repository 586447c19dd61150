-- Move a group's committed offsets up to what is finished now.
--
-- Everything up to the smallest offset of an unfinished delivery is finished; without one, all that was handed out.
--
-- Params   group_id
--          partition_ids   whose offset rows the caller holds
-- Returns  partition_id, committed_offset of each that moved
-- Locks    none of its own
-- Plan     groupoffset_unique_per_partition, and the first entry of delivery_of_an_event_unique_in_group
UPDATE consumers_groupoffset AS standing
   SET committed_offset = reached.committed_offset,
       committed_at = statement_timestamp()
  FROM (SELECT before.id,
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
 WHERE standing.id = reached.id
   AND standing.committed_offset < reached.committed_offset
RETURNING standing.partition_id, standing.committed_offset;
