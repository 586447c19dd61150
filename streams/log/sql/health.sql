-- What the server says about writing and about keeping what was written.
--
-- Params   none
-- Returns  one row: is_in_recovery, read_only, synchronous_commit, fsync, full_page_writes
-- Locks    none
-- Plan     no table
SELECT pg_is_in_recovery(), current_setting('transaction_read_only'), current_setting('synchronous_commit'),
       current_setting('fsync'), current_setting('full_page_writes');
