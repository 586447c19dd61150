-- Hear on this connection what notify.sql tells.
--
-- Params   none
-- Returns  nothing
-- Locks    none
-- Plan     no table
LISTEN eventflow_appends;
