"""One look at all alert rules: what begins, fires, repeats and ends, and the messages about it, in one transaction.

A tick that is killed changes nothing, one that is lost is made up for by the next, and of two at once one looks.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from observability.alerts.kinds import KINDS
from observability.alerts.messages import queue_messages
from observability.alerts.observing import Observation, Observed, count_engines_away, observe
from observability.alerts.statements import run
from observability.conf import ALERTS_OF_ONE_RULE
from observability.models import Alert, AlertRule, What
from streams.log import engine_aliases

logger = logging.getLogger("eventflow.alerts")


class Transition(NamedTuple):
    """Something that somebody is to be told: of which alert, on which occasion, for the how manieth time."""

    alert_id: int
    occasion: str
    number: int


def evaluate_rules() -> int:
    """Look at all rules, and write down what has changed and who is to be told; return how many transitions."""
    # Before the transaction, within which no engine is asked; and only if somebody wants to know.
    is_wanted = AlertRule.objects.filter(is_paused=False, what=What.ENGINES).exists() if engine_aliases() else False
    return _evaluate(count_engines_away() if is_wanted else 0)


@transaction.atomic
def _evaluate(engines_away: int) -> int:
    ((is_ours, now),) = run("take_turn_to_look")
    if not is_ours:
        return 0
    rules = list(AlertRule.objects.filter(is_paused=False).order_by("pk").prefetch_related("channels"))
    observed = observe(rules, engines_away=engines_away, now=now)
    _note_stopped(rules, observed)
    transitions = _write_down(rules, observed)
    queue_messages(transitions, now=now)
    return len(transitions)


def _write_down(rules: Sequence[AlertRule], observed: Observed) -> list[Transition]:
    reached = _bounded(rules, [each for each in observed.observations if each.is_reached])
    fine = [each for each in observed.observations if not each.is_reached]
    ended = run(
        "end_alerts",
        rule_ids=[each.rule_id for each in fine],
        subject_ids=[each.subject_id for each in fine],
        values=[each.value for each in fine],
        reached_rule_ids=[each.rule_id for each in reached],
        reached_subject_ids=[each.subject_id for each in reached],
        unknown_rule_ids=sorted(observed.unknown),
    )
    if reached:
        run(
            "note_findings",
            rule_ids=[each.rule_id for each in reached],
            subject_ids=[each.subject_id for each in reached],
            subjects=[each.subject for each in reached],
            values=[each.value for each in reached],
        )
    return [Transition._make(row) for row in [*ended, *run("fire_alerts"), *run("repeat_alerts")]]


def _bounded(rules: Sequence[AlertRule], reached: Sequence[Observation]) -> list[Observation]:
    """At most so many of each rule: those that are open already, then the worst. Nobody reads a thousand messages."""
    by_rule: dict[int, list[Observation]] = defaultdict(list)
    for each in reached:
        by_rule[each.rule_id].append(each)
    crowded = [rule_id for rule_id, found in by_rule.items() if len(found) > ALERTS_OF_ONE_RULE]
    if not crowded:
        return list(reached)
    opened = Alert.objects.filter(rule_id__in=crowded, ended_at__isnull=True).order_by()
    is_open = set(opened.values_list("rule_id", "subject_id"))
    kinds = {rule.pk: KINDS[rule.what] for rule in rules}
    for rule_id in crowded:
        kind = kinds[rule_id]
        by_rule[rule_id].sort(
            key=lambda each, kind=kind: (  # type: ignore[misc]
                (each.rule_id, each.subject_id) not in is_open,
                -kind.severity(each.value or 0.0),
            )
        )
        logger.warning("a rule finds more than is told", extra={"rule": rule_id, "found": len(by_rule[rule_id])})
    return [each for found in by_rule.values() for each in found[:ALERTS_OF_ONE_RULE]]


def _note_stopped(rules: Sequence[AlertRule], observed: Observed) -> None:
    """Let each rule say why it is not looked at, if so."""
    changed: dict[str, list[int]] = defaultdict(list)
    for rule in rules:
        stopped = observed.stopped.get(rule.pk, "")
        if stopped != rule.stopped:
            changed[stopped].append(rule.pk)
    for stopped, rule_ids in changed.items():
        AlertRule.objects.filter(pk__in=rule_ids).update(stopped=stopped)


def delete_old_alerts(*, before: datetime, limit: int) -> int:
    """Delete some alerts and tests that ended before a moment; return how many."""
    ((deleted,),) = run("delete_old_alerts", before=before, max_rows=limit)
    return int(deleted)
