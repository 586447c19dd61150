-- What time it is by the database's clock.
--
-- Params   none
-- Returns  one row: the time
-- Locks    none
-- Plan     no table
SELECT clock_timestamp();
