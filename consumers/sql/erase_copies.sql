-- Put the erased form of an event in the place of every copy of it: in dead letters, and in redrives that were edited.
--
-- Params   partition_id, offset
--          event     the event as it is read from now on
-- Returns  one row: how many copies still held something else
-- Locks    the dead letters and redrives; the caller holds all groups' offset rows of the partition
-- Plan     deadletter_once_for_each_event_group_and_round, redrive_once_for_each_round
--
-- That a redrive was edited stays true; what its edit changed is gone with the payload.
WITH letters AS (
    UPDATE consumers_deadletter
       SET event = %(event)b::bytea
     WHERE partition_id = %(partition_id)b::bigint
       AND "offset" = %(offset)b::bigint
       AND event <> %(event)b::bytea
 RETURNING 1
), edits AS (
    UPDATE consumers_redrive AS redrive
       SET edited_event = %(event)b::bytea,
           difference = ''
      FROM consumers_deadletter AS dead
     WHERE dead.partition_id = %(partition_id)b::bigint
       AND dead."offset" = %(offset)b::bigint
       AND redrive.dead_letter_id = dead.id
       AND redrive.edited_event <> %(event)b::bytea
 RETURNING 1
)
SELECT (SELECT count(*) FROM letters) + (SELECT count(*) FROM edits);
