-- Take the turn to look at the alert rules, until the transaction ends, unless somebody else has it.
--
-- Params   none
-- Returns  one row: whether it is ours, and the database's time
-- Locks    an advisory lock, which nobody waits for
-- Plan     no table
SELECT pg_try_advisory_xact_lock(hashtext('eventflow.alerts')), now();
