-- Let the statements that follow sort again where that seems cheaper (forbid_sorting.sql).
--
-- Params   none
-- Returns  nothing
-- Locks    none
-- Plan     none
SET LOCAL enable_sort = on;
