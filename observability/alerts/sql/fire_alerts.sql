-- Fire the alerts that have waited for as long as their rules say, by the database's clock.
--
-- Params   none
-- Returns  id, occasion, number of each
-- Locks    the alerts; only who has the turn to look writes them
-- Plan     alert_one_open_for_a_subject, observability_alertrule_pkey
UPDATE observability_alert AS alert
   SET state = 'firing',
       fired_at = now(),
       last_told_at = now()
  FROM observability_alertrule AS rule
 WHERE rule.id = alert.rule_id
   AND alert.ended_at IS NULL
   AND alert.state = 'pending'
   AND alert.began_at <= now() - make_interval(secs => rule.for_seconds)
RETURNING alert.id, 'fired', 0;
