-- What the ids that streams store once take on the disk, with their indexes.
--
-- Params   none
-- Returns  one row: bytes
-- Locks    none
-- Plan     none
SELECT pg_total_relation_size('streams_rememberedid') + pg_total_relation_size('streams_rememberedfamily');
