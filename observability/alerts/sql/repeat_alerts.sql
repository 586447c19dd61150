-- Count one more repetition of the alerts that still fire and were told of as long ago as their rules say.
--
-- Params   none
-- Returns  id, occasion, number of each
-- Locks    the alerts; only who has the turn to look writes them
-- Plan     alert_one_open_for_a_subject, observability_alertrule_pkey
UPDATE observability_alert AS alert
   SET repeat_count = alert.repeat_count + 1,
       last_told_at = now()
  FROM observability_alertrule AS rule
 WHERE rule.id = alert.rule_id
   AND alert.ended_at IS NULL
   AND alert.state = 'firing'
   AND rule.repeat_seconds > 0
   AND alert.last_told_at <= now() - make_interval(secs => rule.repeat_seconds)
RETURNING alert.id, 'repeated', alert.repeat_count;
