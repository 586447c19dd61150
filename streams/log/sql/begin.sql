-- Begin a transaction of several statements; each alone is one by itself.
--
-- Params   none
-- Returns  nothing
-- Locks    none
-- Plan     no table
BEGIN;
