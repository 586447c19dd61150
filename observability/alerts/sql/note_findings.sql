-- Write down what rules have found: a new alert waits for as long as its rule says, an open one learns the number.
--
-- Params   rule_ids, subject_ids, subjects, values: arrays of the same length, each rule's subject once
-- Returns  nothing
-- Locks    the open alerts; only who has the turn to look writes them
-- Plan     alert_one_open_for_a_subject
INSERT INTO observability_alert AS kept (rule_id, subject_id, subject, state, value, began_at, repeat_count)
SELECT found.rule_id, found.subject_id, found.subject, 'pending', found.value, now(), 0
  FROM unnest(%(rule_ids)s::bigint[], %(subject_ids)s::bigint[], %(subjects)s::text[], %(values)s::float8[])
       AS found (rule_id, subject_id, subject, value)
  JOIN observability_alertrule AS rule ON rule.id = found.rule_id
    ON CONFLICT (rule_id, subject_id) WHERE ended_at IS NULL DO UPDATE
   SET value = excluded.value,
       subject = excluded.subject;
