-- Tell all processes that listen (listen.sql) which partitions have new heads.
--
-- Params   payload: the partitions' ids, comma-separated, less than 8,000 bytes
-- Returns  one row of nothing
-- Locks    none
-- Plan     no table
SELECT pg_notify('eventflow_appends', %(payload)s);
