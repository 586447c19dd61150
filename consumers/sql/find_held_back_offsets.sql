-- Committed offsets of leasing groups that nothing holds back any more: whoever should have moved them was killed
-- between two statements.
--
-- Params   none
-- Returns  group_id, partition_id
-- Locks    none
-- Plan     the offset rows, and for those that are behind one entry of delivery_of_an_event_unique_in_group
SELECT standing.group_id, standing.partition_id
  FROM consumers_groupoffset AS standing
  JOIN consumers_consumergroup AS leasing ON leasing.id = standing.group_id AND leasing.mode = 'lease'
 WHERE standing.committed_offset < standing.dispatched_offset
   AND NOT EXISTS (SELECT FROM consumers_delivery AS unfinished
                    WHERE unfinished.group_id = standing.group_id
                      AND unfinished.partition_id = standing.partition_id
                      AND unfinished.dead_letter_id IS NULL
                      AND unfinished.first_offset = standing.committed_offset + 1)
 ORDER BY standing.group_id, standing.partition_id;
