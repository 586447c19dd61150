-- Forget ids whose window has passed, so that they can be stored anew.
--
-- Params   stream_ids, digests, recorded_ats: one element for each, as it was found
-- Returns  nothing
-- Locks    the rows that go; one that was stored anew meanwhile has another time and stays
-- Plan     streams_rememberedid_pkey for each id
DELETE FROM streams_rememberedid AS remembered
 USING unnest(%(stream_ids)b::bigint[], %(digests)b::uuid[], %(recorded_ats)b::timestamptz[])
       AS passed (stream_id, digest, recorded_at)
 WHERE remembered.stream_id = passed.stream_id
   AND remembered.digest = passed.digest
   AND remembered.recorded_at = passed.recorded_at;
