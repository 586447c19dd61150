"""What the tests of applications are given: captured events, and an EventFlow in memory."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from eventflow_client import EventFlow, problems
from eventflow_django import NewEvent, publish
from eventflow_django.connecting import sending_client
from eventflow_django.testing import InMemoryEventFlow, NotAppended, capture_events, in_memory_eventflow
from orders.models import Invoice
from orders.services import place_order

pytestmark = pytest.mark.django_db


def test_captured_events_are_those_published_within_and_not_rolled_back():
    place_order(customer="before", cents=1)
    with capture_events() as events:
        assert list(events) == []
        place_order(customer="Ada", cents=1990)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            place_order(customer="nobody", cents=1)
            _ = 1 / 0
        assert len(events) == 1
    (event,) = events
    assert (event.stream, event.type, event.key) == ("orders", "order.placed", "customer-Ada")
    assert event.payload["cents"] == 1990
    assert event.occurred_at <= datetime.now(UTC)


def test_events_for_later_are_captured_and_kept_with_their_times():
    later = datetime(2030, 1, 1, tzinfo=UTC)
    with in_memory_eventflow("orders") as eventflow, capture_events() as events:
        with transaction.atomic():
            publish(NewEvent("orders", {"order_id": 1, "cents": 1}, deliver_after=later))
            publish(
                NewEvent("orders", {"order_id": 2, "cents": 1}, deliver_after=timedelta(seconds=90), expires_after=7)
            )
        assert [(event.deliver_after, event.expires_after) for event in events] == [(later, None), (90, 7)]
        eventflow.deliver()
        assert [(each.deliver_after, each.expires_after) for each in eventflow.events("orders")] == [
            (later, None),
            (90, 7),
        ]


def test_what_is_published_is_delivered_to_the_consumers_in_the_same_thread():
    with in_memory_eventflow("orders") as eventflow:
        order = place_order(customer="Ada", cents=1990)
        assert eventflow.deliver() == 1
        assert eventflow.deliver() == 0
        assert [event.payload for event in eventflow.events("orders")] == [{"order_id": order.pk, "cents": 1990}]
    assert [(invoice.order_id, invoice.cents) for invoice in Invoice.objects.all()] == [(order.pk, 1990)]


def test_what_a_handler_raises_comes_out_and_its_event_comes_again():
    with in_memory_eventflow("orders") as eventflow:
        place_order(customer="Ada", cents=0)
        for _ in range(2):
            with pytest.raises(Exception, match="nothing to pay"):
                eventflow.deliver()


def test_a_stream_that_is_not_there_is_no_secret():
    with in_memory_eventflow("payments") as eventflow:
        place_order(customer="Ada", cents=1)
        with pytest.raises(NotAppended, match="stream_not_found"):
            eventflow.deliver()


def test_within_a_test_transaction_nothing_needs_to_commit():
    with in_memory_eventflow("other") as eventflow:
        publish(NewEvent("other", {"n": 1}, key="k"))
        eventflow.deliver()
        (event,) = eventflow.events("other")
    assert (event.offset, event.key, event.payload) == (1, "k", {"n": 1})


@pytest.fixture(params=["a real server", "memory"])
def place(request, client, stream):
    """The same questions to both."""
    if request.param == "memory":
        with EventFlow("http://memory", key="any", transport=InMemoryEventFlow(stream)) as client:
            yield client, stream
    else:
        with sending_client() as client:
            yield client, stream


def test_an_append_is_answered_alike(place):
    client, stream = place
    first = client.send(stream, {"n": 2**70}, type="t", key="k", id="one", headers={"a": "b"})
    assert (first.id, first.stream, first.partition, first.offset, first.is_duplicate) == ("one", stream, 0, 1, False)
    second, third = client.send_many([NewEvent(stream, 2), NewEvent(stream, 3)])
    assert (second.offset, third.offset) == (2, 3)
    events = list(client.streams.read(stream, last_offset=0))
    assert [event.payload for event in events] == [{"n": 2**70}, 2, 3]
    assert (events[0].type, events[0].key, events[0].headers) == ("t", "k", {"a": "b"})
    assert (events[1].type, events[1].key, events[1].headers, events[1].occurred_at) == ("event", None, {}, None)


def test_an_append_that_is_repeated_is_stored_once(place):
    client, stream = place
    answers = {client.send(stream, 1, idempotency_key="same").offset for _ in range(3)}
    assert answers == {1}
    with pytest.raises(problems.IdempotencyKeyReused):
        client.send(stream, 2, idempotency_key="same")
    assert len(list(client.streams.read(stream, last_offset=0))) == 1


def test_what_is_not_there_is_refused_alike(place):
    client, stream = place
    with pytest.raises(problems.StreamNotFound):
        client.send("nothing-of-the-kind", 1)
    with pytest.raises(problems.ConsumerGroupNotFound):
        client.groups.get(stream, "nobody")


def test_a_group_commits_and_reads_on_alike(place):
    client, stream = place
    client.send_many([NewEvent(stream, n) for n in range(5)])
    assert client.groups.create(stream, "readers", mode="offset").lag == 5
    assert client.groups.create(stream, "late", mode="offset", start="latest").lag == 0
    path = f"/streams/{stream}/events"
    assert [each["payload"] for each in client.request("GET", path, consumer_group_id="readers", limit=2)] == [0, 1]
    assert client.groups.commit(stream, "readers", {0: 3})[0].status == "committed"
    assert client.groups.commit(stream, "readers", {0: 2})[0].status == "outdated"
    assert [each["payload"] for each in client.request("GET", path, consumer_group_id="readers")] == [3, 4]
    with pytest.raises(problems.OffsetBeyondHead):
        client.groups.commit(stream, "readers", {0: 6})
    assert client.groups.get(stream, "readers").lag == 2
