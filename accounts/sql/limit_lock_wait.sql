-- Let no statement of this transaction wait for long for a row that another transaction holds.
--
-- Params   timeout, such as '2s'
-- Returns  one row: the timeout
-- Locks    none
-- Plan     no table
SELECT set_config('lock_timeout', %(timeout)s, true);
