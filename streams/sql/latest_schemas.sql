-- The latest version of the schema of each type that a stream has one for.
--
-- Params   stream_id
-- Returns  id, type, version, document
-- Locks    none
-- Plan     schema_version_once_for_each_type
SELECT DISTINCT ON (type) id, type, version, document
  FROM streams_eventschema
 WHERE stream_id = %(stream_id)s
 ORDER BY type, version DESC;
