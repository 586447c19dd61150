-- Take mirrors that are nobody's, or whose worker has not been heard of for as long as its lease lasts.
--
-- Params   engines: aliases of those that the worker can ask; not_these: ids of mirrors that it has already; limit;
--          lease_seconds
-- Returns  a row for each mirror that is the worker's now: id, stream_id, engine, topic, lease_token, whether the one
--          before let go of it, whether it was failing
-- Locks    the mirrors that are taken; those that somebody else takes at this moment are passed
-- Plan     streams_mirror is small: a few for each stream that has any
WITH free AS (
    SELECT id, lease_expires_at IS NULL AS was_let_go
      FROM streams_mirror
     WHERE NOT is_paused
       AND NOT is_ending
       AND engine = ANY (%(engines)s::text[])
       AND id <> ALL (%(not_these)s::bigint[])
       AND (lease_expires_at IS NULL OR lease_expires_at < statement_timestamp())
     ORDER BY lease_expires_at NULLS FIRST, id
     LIMIT %(limit)s
       FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE streams_mirror AS mirror
   SET lease_token = gen_random_uuid(),
       leased_at = statement_timestamp(),
       lease_expires_at = statement_timestamp() + make_interval(secs => %(lease_seconds)s)
  FROM free
 WHERE mirror.id = free.id
RETURNING mirror.id, mirror.stream_id, mirror.engine, mirror.topic, mirror.lease_token, free.was_let_go,
          mirror.failing_since IS NOT NULL;
