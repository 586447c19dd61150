-- Undo the statements since begin.sql.
--
-- Params   none
-- Returns  nothing
-- Locks    releases those of the transaction
-- Plan     no table
ROLLBACK;
