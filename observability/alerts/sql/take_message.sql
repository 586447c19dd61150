-- Take the message that has been due for longest, for as long as a try may take: whoever dies meanwhile loses it to
-- the next one. What tells of an alert goes to a channel in the order in which it happened.
--
-- Params   lease_seconds
-- Returns  id, if one is due
-- Locks    the message's row; waits for nobody
-- Plan     alertnotification_due, alertnotification_once_for_each_occasion
UPDATE observability_alertnotification AS taken
   SET attempts = taken.attempts + 1,
       next_attempt_at = now() + make_interval(secs => %(lease_seconds)s)
 WHERE taken.id = (SELECT due.id
                     FROM observability_alertnotification AS due
                    WHERE due.status = 'waiting'
                      AND due.next_attempt_at <= now()
                      AND NOT EXISTS (SELECT
                                        FROM observability_alertnotification AS earlier
                                       WHERE earlier.alert_id = due.alert_id
                                         AND earlier.channel_id = due.channel_id
                                         AND earlier.status = 'waiting'
                                         AND earlier.id < due.id)
                    ORDER BY due.next_attempt_at, due.id
                    LIMIT 1
                      FOR NO KEY UPDATE SKIP LOCKED)
RETURNING taken.id;
