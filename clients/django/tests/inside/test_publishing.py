"""An event shares the fate of the transaction that it is published in."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from eventflow_client import NotJson, traced
from eventflow_django import NewEvent, NotInTransaction, publish, publish_many
from eventflow_django.models import OutboxEvent
from eventflow_django.relaying import relay_what_waits
from running import stored

pytestmark = pytest.mark.django_db(transaction=True)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_what_commits_is_appended_once_as_it_was_published(client, stream):
    happened = datetime(2026, 11, 29, 10, 0, tzinfo=UTC)
    with transaction.atomic():
        event_id = publish(
            NewEvent(
                stream,
                {"total": Decimal("19.90"), "big": 2**70},
                type="order.placed",
                key="customer-7",
                occurred_at=happened,
                headers={"region": "eu"},
            )
        )
    assert relay_what_waits(client) == 1
    assert relay_what_waits(client) == 0
    (event,) = stored(client, stream)
    assert event["payload"] == {"total": "19.90", "big": 2**70}
    assert (event["id"], event["type"], event["key"]) == (event_id, "order.placed", "customer-7")
    assert (event["occurred_at"], event["headers"]) == ("2026-11-29T10:00:00Z", {"region": "eu"})
    assert not OutboxEvent.objects.exists()


def test_what_is_for_later_or_expires_says_so_in_its_stream(client, stream):
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    with transaction.atomic():
        publish(NewEvent(stream, "then", deliver_after=later))
        publish(NewEvent(stream, "soon", deliver_after=timedelta(minutes=2), expires_after=3600))
    assert relay_what_waits(client) == 2
    then, soon = stored(client, stream)
    assert datetime.fromisoformat(then["deliver_after"]) == later
    assert (soon["deliver_after"], soon["expires_after"]) == (120, 3600)


def test_what_rolls_back_never_happened(client, stream):
    with transaction.atomic():
        publish(NewEvent(stream, "kept"))
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            publish(NewEvent(stream, "not kept"))
            _ = 1 / 0
    relay_what_waits(client)
    assert [event["payload"] for event in stored(client, stream)] == ["kept"]


def test_outside_of_a_transaction_it_is_refused(stream):
    with pytest.raises(NotInTransaction, match=r"transaction\.atomic"):
        publish(NewEvent(stream, 1))
    assert not OutboxEvent.objects.exists()


def test_what_no_attempt_could_send_is_refused_where_it_is_published(stream):
    with transaction.atomic():
        for event, error in (
            (NewEvent(stream, float("nan")), NotJson),
            (NewEvent(stream, object()), NotJson),
            (NewEvent(stream, "x" * 1_000_000), ValueError),
            (NewEvent(stream, 1, key="ö" * 257), ValueError),
            (NewEvent(stream, 1, type="t" * 129), ValueError),
        ):
            with pytest.raises(error):
                publish(event)
    assert not OutboxEvent.objects.exists()


def test_it_says_when_it_happened_and_not_when_it_was_sent(client, stream):
    before = datetime.now(UTC)
    with transaction.atomic():
        publish(NewEvent(stream, 1))
    after = datetime.now(UTC)
    relay_what_waits(client)
    (event,) = stored(client, stream)
    assert before <= datetime.fromisoformat(event["occurred_at"]) <= after


def test_the_trace_of_what_published_it_goes_along(client, stream):
    with traced(TRACE), transaction.atomic():
        publish(NewEvent(stream, 1))
    relay_what_waits(client)
    assert stored(client, stream)[0]["headers"]["traceparent"] == TRACE


def test_many_are_one_statement_and_keep_their_order(client, stream, django_assert_num_queries):
    with transaction.atomic(), django_assert_num_queries(1):
        ids = publish_many(NewEvent(stream, n, key="k") for n in range(700))
    assert relay_what_waits(client) == 700
    assert [(event["payload"], event["id"]) for event in stored(client, stream)] == list(enumerate(ids))
