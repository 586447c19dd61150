-- Say how long statements of this connection wait for a row that another transaction holds.
--
-- Params   timeout, such as '1s'
-- Returns  one row: the timeout
-- Locks    none
-- Plan     no table
SELECT set_config('lock_timeout', %(timeout)s, false);
