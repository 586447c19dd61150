-- Let all that this transaction reads be as of one moment, that of its first look.
--
-- Params   none
-- Returns  nothing
-- Locks    none
-- Plan     no table
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY;
