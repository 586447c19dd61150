-- How much of its disk this database takes: tables, indexes, what is dead in them. Not the WAL, which is the server's.
--
-- Params   none
-- Returns  one row: bytes
-- Locks    none
-- Plan     no table; looks at the size of each of the database's files
SELECT pg_database_size(current_database());
