"""Bulk actions over more dead letters than a request does itself: they go on step by step, each by itself."""

import pytest
from django.db import connection

from consumers.dead_letter_queries import DeadLetterFilter
from consumers.isolation import FailedEvent
from consumers.models import BulkAction, BulkKind, DeadLetter
from consumers.services.dead_letters import bulk
from consumers.services.dead_letters.bulk import continue_bulk_actions, start_bulk_action
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.leases import ack, lease_one, make_lease_group, produce

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture(autouse=True)
def requests_leave_all_to_the_worker(monkeypatch):
    monkeypatch.setattr(bulk, "BULK_INLINE_DEAD_LETTERS", 0)


def discard_all(*, dead_letters: int) -> BulkAction:
    group = make_lease_group()
    produce(group, dead_letters)
    failed = [FailedEvent(offset, "no", is_terminal=True) for offset in range(1, dead_letters + 1)]
    ack(group, lease_one(group), failed=failed)
    reconcile_deliveries()
    return start_bulk_action(
        kind=BulkKind.DISCARD, groups=[group], wanted=DeadLetterFilter(), requested_by="an operator"
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
