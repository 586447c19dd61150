"""The mark that an event was handled is committed with what handling it changed, or not at all."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from eventflow_client import ConsumerSettings, Event
from eventflow_django import process_once
from eventflow_django.consuming import handler_of
from eventflow_django.models import ProcessedEvent
from eventflow_django.registry import RegisteredConsumer
from orders.models import Order

pytestmark = pytest.mark.django_db(transaction=True)


def event(offset: int = 1, event_id: str = "e1") -> Event:
    return Event(partition=0, offset=offset, recorded_at=datetime.now(UTC), id=event_id, type="event")


def registered(handler, *, once: bool = True, group: str = "group") -> RegisteredConsumer:
    return RegisteredConsumer(group, "stream", handler, False, once, ConsumerSettings())


def make_order(given: Event) -> None:
    Order.objects.create(customer=given.id, cents=1)


def test_an_event_that_comes_again_changes_nothing_more():
    handle = handler_of(registered(make_order))
    for _ in range(3):
        handle(event())
    assert Order.objects.count() == 1


def test_without_once_it_would():
    handle = handler_of(registered(make_order, once=False))
    handle(event())
    handle(event())
    assert Order.objects.count() == 2


def test_what_fails_leaves_neither_a_change_nor_a_mark_and_is_done_when_it_comes_again():
    def make_order_and_fail(given: Event) -> None:
        make_order(given)
        if fails.pop():
            raise RuntimeError("in the middle")

    fails = [False, True]
    handle = handler_of(registered(make_order_and_fail))
    with pytest.raises(RuntimeError):
        handle(event())
    assert (Order.objects.count(), ProcessedEvent.objects.count()) == (0, 0)
    handle(event())
    assert (Order.objects.count(), ProcessedEvent.objects.count()) == (1, 1)


def test_another_group_and_another_event_are_handled_by_themselves():
    for group in ("one", "two"):
        handle = handler_of(registered(make_order, group=group))
        handle(event())
        handle(event(offset=2, event_id="e2"))
        # The stream was deleted and made anew.
        handle(event(event_id="e3"))
    assert Order.objects.count() == 6


def test_two_who_have_the_same_event_at_once_make_one_change():
    begun = threading.Barrier(2)
    errors = []

    def handle() -> None:
        try:
            begun.wait(30)
            handler_of(registered(make_order))(event())
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    for number in range(10):
        ProcessedEvent.objects.all().delete()
        Order.objects.all().delete()
        threads = [threading.Thread(target=handle) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert errors == []
        assert Order.objects.count() == 1, number


def test_a_handler_may_open_the_transaction_itself():
    seen = []

    def handle(given: Event) -> None:
        with process_once(given) as is_new:
            seen.append((is_new, transaction.get_connection().in_atomic_block))

    for _ in range(2):
        handler_of(registered(handle, once=False))(event())
    assert seen == [(True, True), (False, True)]


def test_outside_of_a_consumer_it_has_to_be_told_for_whom():
    with pytest.raises(ValueError, match="`group` and `stream`"), process_once(event()):
        pass
    with process_once(event(), group="g", stream="s") as is_new:
        assert is_new


def test_marks_are_forgotten_after_a_while(capsys):
    handle = handler_of(registered(make_order))
    handle(event())
    handle(event(offset=2, event_id="e2"))
    ProcessedEvent.objects.filter(offset=1).update(processed_at=datetime.now(UTC) - timedelta(days=31))
    call_command("forget_processed")
    assert capsys.readouterr().out == "1 marks forgotten\n"
    assert [mark.offset for mark in ProcessedEvent.objects.all()] == [2]
