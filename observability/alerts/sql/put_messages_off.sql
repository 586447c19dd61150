-- Put off what waits for a channel that failed, and give up what has waited for too long.
--
-- Params   channel_id; id: the message that was tried, which learns the error; error; retry_seconds: until the next
--          try; give_up_seconds: how old a message may become
-- Returns  one row: whether the message that was tried is given up
-- Locks    the channel's waiting messages
-- Plan     alertnotification_of_channel
WITH put_off AS (
    UPDATE observability_alertnotification AS message
       SET next_attempt_at = greatest(
               CASE WHEN message.id = %(id)s THEN now() ELSE message.next_attempt_at END,
               now() + make_interval(secs => %(retry_seconds)s)
           ),
           last_error = CASE WHEN message.id = %(id)s OR message.last_error = '' THEN left(%(error)s::text, 300)
                             ELSE message.last_error END,
           status = CASE WHEN message.created_at <= now() - make_interval(secs => %(give_up_seconds)s) THEN 'failed'
                         ELSE 'waiting' END,
           ended_at = CASE WHEN message.created_at <= now() - make_interval(secs => %(give_up_seconds)s) THEN now() END
     WHERE message.channel_id = %(channel_id)s
       AND message.status = 'waiting'
       AND (message.id = %(id)s OR message.occasion <> 'test')
 RETURNING message.id, message.status
)
SELECT coalesce((SELECT status = 'failed' FROM put_off WHERE id = %(id)s), true);
