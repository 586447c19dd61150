"""Cancelling a bulk action against its steps, and steps against each other: what was done is counted, once."""

import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from consumers.dead_letter_search import DeadLetterFilter
from consumers.errors import BulkActionFinished
from consumers.models import BulkAction, BulkKind, DeadLetter, Redrive
from consumers.services.dead_letters import bulk
from consumers.services.dead_letters.bulk import continue_bulk_action, start_bulk_action
from consumers.services.dead_letters.cancel import cancel_bulk_action
from tests.concurrency.test_lease_races import MANY_TURNS
from tests.consumers.leases import make_lease_group
from tests.factories import make_dead_letter
from tests.threads import at_once

pytestmark = pytest.mark.usefixtures("db_with_commits")


def start(monkeypatch, *, dead_letters: int, step: int, per_second: int | None = None) -> BulkAction:
    monkeypatch.setattr(bulk, "BULK_INLINE_DEAD_LETTERS", 0)
    monkeypatch.setattr(bulk, "BULK_STEP_DEAD_LETTERS", step)
    group = make_lease_group()
    for offset in range(1, dead_letters + 1):
        make_dead_letter(group, offset)
    return start_bulk_action(
        kind=BulkKind.REDRIVE,
        groups=[group],
        wanted=DeadLetterFilter(),
        requested_by="an operator",
        per_second=per_second,
    )


def redriven_by(action: BulkAction) -> int:
    return Redrive.objects.filter(bulk_action=action).count()


def cancel(action: BulkAction) -> str:
    try:
        cancel_bulk_action(action=action, cancelled_by="somebody")
    except BulkActionFinished:
        return "finished"
    return "cancelled"


@pytest.mark.slow("cancels while steps are done, many times")
def test_what_a_cancelled_action_has_done_is_counted_exactly_and_nothing_follows(monkeypatch):
    ways: Counter[tuple[str, int]] = Counter()
    for _ in range(MANY_TURNS):
        action = start(monkeypatch, dead_letters=4, step=2)
        mine = BulkAction.objects.get(pk=action.pk)

        _, how = at_once(
            lambda pk=action.pk: [continue_bulk_action(action_id=pk) for _ in range(2)],
            lambda mine=mine: cancel(mine),
        )

        action.refresh_from_db()
        done = redriven_by(action)
        assert action.done_count == done
        assert action.status == how
        assert how == "cancelled" or done == 4
        if how == "cancelled":
            # Whoever cancelled it was told what was done.
            assert mine.done_count == done
        assert continue_bulk_action(action_id=action.pk) == 0
        assert redriven_by(action) == done
        assert DeadLetter.objects.filter(group_id__in=action.group_ids, status="open").count() == 4 - done
        ways[how, done] += 1
    assert ways.total() == MANY_TURNS


@pytest.mark.slow("lets ticks meet, many times")
def test_ticks_that_meet_keep_the_rate_together(monkeypatch):
    for _ in range(MANY_TURNS):
        action = start(monkeypatch, dead_letters=6, step=200, per_second=2)
        BulkAction.objects.filter(pk=action.pk).update(next_at=Now() - timedelta(hours=1))
        began = time.monotonic()
        at_once(*[lambda pk=action.pk: continue_bulk_action(action_id=pk) for _ in range(3)])
        took = time.monotonic() - began
        action.refresh_from_db()
        # A second's worth for the pause, and what the time that they took is worth.
        assert 2 <= action.done_count == redriven_by(action) <= 2 + 2 * took
