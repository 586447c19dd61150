-- Let what waits for a channel that was mended, or leads elsewhere now, go at once, but not what somebody has taken at
-- this moment.
--
-- Params   channel_id; lease_seconds: for how long messages are taken
-- Returns  nothing
-- Locks    the channel's waiting messages
-- Plan     alertnotification_of_channel
UPDATE observability_alertnotification
   SET next_attempt_at = now()
 WHERE channel_id = %(channel_id)s
   AND status = 'waiting'
   AND next_attempt_at > now() + make_interval(secs => %(lease_seconds)s);
