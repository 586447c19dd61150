-- The round that a seek begins in a partition: above all that its dead letters and redrives have had.
--
-- Params   group_id, partition_id
-- Returns  one row: the round
-- Locks    none; the caller holds the offset row
-- Plan     deadletter_once_for_each_event_group_and_round, all of the group's dead letters in this partition
SELECT 1 + greatest((SELECT round FROM consumers_groupoffset
                      WHERE group_id = %(group_id)s AND partition_id = %(partition_id)s),
                    (SELECT max(round) FROM consumers_deadletter
                      WHERE group_id = %(group_id)s AND partition_id = %(partition_id)s),
                    (SELECT max(redrive.round)
                       FROM consumers_deadletter AS dead JOIN consumers_redrive AS redrive ON redrive.dead_letter_id = dead.id
                      WHERE dead.group_id = %(group_id)s AND dead.partition_id = %(partition_id)s), 0);
