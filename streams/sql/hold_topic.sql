-- Let only one transaction at a time make a stream of a topic.
--
-- Params   name: of its engine and its own
-- Returns  one row that says nothing
-- Locks    an advisory lock, to the end of the transaction
-- Plan     none
SELECT pg_advisory_xact_lock(hashtextextended(%(name)s::text, 0));
