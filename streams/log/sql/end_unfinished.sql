-- Forget appends to other engines that are about to be completed here, with their receipts.
--
-- Params   callers, keys
-- Returns  nothing
-- Locks    these rows
-- Plan     append_unfinished_once_for_each_key
DELETE FROM streams_unfinishedappend AS unfinished
 USING unnest(%(callers)s::text[], %(keys)s::text[]) AS completed (caller, key)
 WHERE unfinished.caller = completed.caller
   AND unfinished.key = completed.key;
