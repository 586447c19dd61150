-- Let the statements that follow, until allow_sorting.sql or the end of the transaction, read rows in the order of an index,
-- wherever there is one, rather than sort them.
--
-- Params   none
-- Returns  nothing
-- Locks    none
-- Plan     none
SET LOCAL enable_sort = off;
