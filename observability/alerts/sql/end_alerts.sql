-- End the open alerts whose number is fine again (resolved), or which nobody looks at any more (stopped); those that
-- have not fired yet go without a trace.
--
-- Params   rule_ids, subject_ids, values: arrays of the same length, what was looked at and is fine;
--          reached_rule_ids, reached_subject_ids: what was looked at and is not;
--          unknown_rule_ids: rules that could not be looked at now and keep what they have
-- Returns  id, occasion, number of each that was resolved; its new number is written down
-- Locks    the alerts; only who has the turn to look writes them
-- Plan     alert_one_open_for_a_subject
WITH ending AS (
    SELECT alert.id, alert.state, fine.rule_id IS NOT NULL AS is_fine, fine.value
      FROM observability_alert AS alert
      LEFT JOIN unnest(%(rule_ids)s::bigint[], %(subject_ids)s::bigint[], %(values)s::float8[])
                AS fine (rule_id, subject_id, value)
        ON fine.rule_id = alert.rule_id AND fine.subject_id = alert.subject_id
     WHERE alert.ended_at IS NULL
       AND NOT alert.rule_id = ANY (%(unknown_rule_ids)s::bigint[])
       AND NOT EXISTS (SELECT
                         FROM unnest(%(reached_rule_ids)s::bigint[], %(reached_subject_ids)s::bigint[])
                              AS reached (rule_id, subject_id)
                        WHERE reached.rule_id = alert.rule_id AND reached.subject_id = alert.subject_id)
), gone AS (
    DELETE FROM observability_alert AS alert
     USING ending
     WHERE alert.id = ending.id AND ending.state = 'pending'
), ended AS (
    UPDATE observability_alert AS alert
       SET state = CASE WHEN ending.is_fine THEN 'resolved' ELSE 'stopped' END,
           value = coalesce(ending.value, alert.value),
           ended_at = now()
      FROM ending
     WHERE alert.id = ending.id AND ending.state = 'firing'
 RETURNING alert.id, ending.is_fine
)
SELECT id, 'resolved', 0 FROM ended WHERE is_fine;
