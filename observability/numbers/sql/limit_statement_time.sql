-- Let no statement of this transaction run for long.
--
-- Params   timeout, such as '5s'
-- Returns  one row: the timeout
-- Locks    none
-- Plan     no table
SELECT set_config('statement_timeout', %(timeout)s, true);
