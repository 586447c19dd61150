"""Bulk actions over more dead letters than a request does itself: they go on step by step, each by itself."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now

from accounts.models import AuditEntry
from consumers.dead_letter_search import DeadLetterFilter
from consumers.errors import BulkActionFinished
from consumers.isolation import FailedEvent
from consumers.models import BulkAction, BulkKind, ConsumerGroup, DeadLetter, Delivery
from consumers.services.dead_letters import bulk
from consumers.services.dead_letters.bulk import continue_bulk_actions, start_bulk_action
from consumers.services.dead_letters.cancel import cancel_bulk_action
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.leases import ack, lease_one, make_lease_group, produce

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture(autouse=True)
def requests_leave_all_to_the_worker(monkeypatch):
    monkeypatch.setattr(bulk, "BULK_INLINE_DEAD_LETTERS", 0)


def give_up_on_all(dead_letters: int) -> ConsumerGroup:
    group = make_lease_group()
    produce(group, dead_letters)
    failed = [FailedEvent(offset, "no", is_terminal=True) for offset in range(1, dead_letters + 1)]
    ack(group, lease_one(group), failed=failed)
    reconcile_deliveries()
    return group


def discard_all(*, dead_letters: int, per_second: int | None = None) -> BulkAction:
    return start_bulk_action(
        kind=BulkKind.DISCARD,
        groups=[give_up_on_all(dead_letters)],
        wanted=DeadLetterFilter(),
        requested_by="an operator",
        per_second=per_second,
    )


@pytest.fixture
def refuse_to_close():
    """Let the database refuse to change the dead letters of a bulk action."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_to_close() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$"
        )

    def refuse(action: BulkAction) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "CREATE TRIGGER refuse_to_close BEFORE UPDATE ON consumers_deadletter"
                f" FOR EACH ROW WHEN (OLD.group_id = {action.group_ids[0]}) EXECUTE FUNCTION refuse_to_close()"
            )

    yield refuse
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION refuse_to_close CASCADE")


def open_dead_letters(action: BulkAction) -> int:
    return DeadLetter.objects.filter(group_id__in=action.group_ids, status="open").count()


def test_a_tick_takes_each_one_step_further():
    first, second = discard_all(dead_letters=2), discard_all(dead_letters=3)
    assert [action.finished_at for action in (first, second)] == [None, None]
    assert continue_bulk_actions() == 5
    assert BulkAction.objects.filter(finished_at=None).count() == 0
    assert (open_dead_letters(first), open_dead_letters(second)) == (0, 0)
    assert continue_bulk_actions() == 0


def test_one_that_cannot_go_on_keeps_none_of_the_others_waiting_and_goes_on_when_it_can(refuse_to_close):
    troubled, other = discard_all(dead_letters=2), discard_all(dead_letters=3)
    refuse_to_close(troubled)
    assert continue_bulk_actions() == 3
    assert (open_dead_letters(troubled), open_dead_letters(other)) == (2, 0)
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER refuse_to_close ON consumers_deadletter")
    assert continue_bulk_actions() == 2
    assert open_dead_letters(troubled) == 0


# --- at a rate ---


def let_pass(action: BulkAction, seconds: float) -> None:
    """Have the next one due so long ago, by the database's clock."""
    BulkAction.objects.filter(pk=action.pk).update(next_at=Now() - timedelta(seconds=seconds))


@pytest.mark.parametrize("kind", BulkKind)
def test_at_a_rate_a_tick_does_a_seconds_worth_and_no_more_after_a_pause(kind):
    action = start_bulk_action(
        kind=kind, groups=[give_up_on_all(8)], wanted=DeadLetterFilter(), requested_by="an operator", per_second=3
    )
    for done in (3, 6, 8):
        let_pass(action, 3600)
        before = connection_now()
        continue_bulk_actions()
        action.refresh_from_db()
        assert (action.done_count, open_dead_letters(action)) == (done, 8 - done)
        # The share of those that went is not over yet: what they were late by is forgotten.
        if done < 8:
            assert action.next_at > before
    assert action.status == "finished"
    assert Delivery.objects.count() == (8 if kind == BulkKind.REDRIVE else 0)


def connection_now():
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]


def test_before_its_time_a_tick_does_nothing():
    action = discard_all(dead_letters=3, per_second=1)
    let_pass(action, -3600)
    assert continue_bulk_actions() == 0
    assert open_dead_letters(action) == 3
    let_pass(action, 0)
    assert continue_bulk_actions() == 1
    assert open_dead_letters(action) == 2


def test_few_at_a_rate_are_left_to_the_worker_as_well(monkeypatch):
    monkeypatch.setattr(bulk, "BULK_INLINE_DEAD_LETTERS", 200)
    action = discard_all(dead_letters=2, per_second=1)
    assert (action.status, open_dead_letters(action)) == ("running", 2)
    assert discard_all(dead_letters=2).status == "finished"


def test_a_step_that_fails_uses_up_nothing_of_the_rate(refuse_to_close):
    action = discard_all(dead_letters=3, per_second=2)
    refuse_to_close(action)
    let_pass(action, 10)
    due = BulkAction.objects.get(pk=action.pk).next_at
    assert continue_bulk_actions() == 0
    action.refresh_from_db()
    assert (action.next_at, action.done_count, action.last_id) == (due, 0, 0)


def test_a_rate_has_a_time_and_a_cancelled_one_an_end():
    action = discard_all(dead_letters=1)
    for impossible in ({"per_second": 5}, {"next_at": Now()}, {"cancelled_at": Now(), "finished_at": None}):
        with pytest.raises(IntegrityError):
            BulkAction.objects.filter(pk=action.pk).update(**impossible)


# --- cancelled ---


def test_what_is_cancelled_goes_no_further_and_what_was_done_stays_counted():
    action = discard_all(dead_letters=5, per_second=2)
    let_pass(action, 10)
    continue_bulk_actions()
    cancel_bulk_action(action=action, cancelled_by="user:7")

    assert (action.status, action.done_count, action.cancelled_by) == ("cancelled", 2, "user:7")
    let_pass(action, 10)
    assert continue_bulk_actions() == 0
    assert open_dead_letters(action) == 3


def test_cancelling_twice_is_cancelling_once():
    action = discard_all(dead_letters=5)
    cancel_bulk_action(action=action, cancelled_by="user:7")
    first = (action.cancelled_at, action.finished_at)
    cancel_bulk_action(action=action, cancelled_by="user:8")

    assert (action.cancelled_by, (action.cancelled_at, action.finished_at)) == ("user:7", first)
    (entry,) = AuditEntry.objects.filter(action="bulk_action.cancelled")
    assert entry.target == f"bulk discard {action.pk}"
    assert entry.group == ConsumerGroup.objects.get(pk=action.group_ids[0]).name
    assert entry.after == {"requested_by": "an operator", "done_count": 0, "total_count": 5}


def test_what_is_finished_cannot_be_cancelled():
    action = discard_all(dead_letters=2)
    continue_bulk_actions()
    with pytest.raises(BulkActionFinished, match="2 were done"):
        cancel_bulk_action(action=action, cancelled_by="user:7")
    assert (action.status, action.cancelled_by) == ("finished", "")
    assert not AuditEntry.objects.filter(action="bulk_action.cancelled").exists()


def test_one_whose_group_is_gone_is_cancelled_all_the_same():
    action = discard_all(dead_letters=2)
    ConsumerGroup.objects.filter(pk__in=action.group_ids).delete()
    cancel_bulk_action(action=action, cancelled_by="user:7")
    assert action.status == "cancelled"
