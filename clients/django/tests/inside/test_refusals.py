"""What becomes of events that the server does not take, and of those behind them."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from eventflow_client import EventFlow, Retries
from eventflow_django import NewEvent, publish_many
from eventflow_django.models import OutboxBatch, OutboxEvent
from eventflow_django.relay import relay_once
from eventflow_django.relaying import relay_what_waits
from running import stored

pytestmark = pytest.mark.django_db(transaction=True)


def publish_all(*events: NewEvent) -> None:
    with transaction.atomic():
        publish_many(events)


def payloads(client, stream: str) -> list:
    return [event["payload"] for event in stored(client, stream)]


def waiting(stream: str) -> list[tuple[str, bool]]:
    rows = OutboxEvent.objects.filter(stream=stream).order_by("id")
    return [(row.body.rpartition(":")[2].rstrip("}"), row.failed_at is not None) for row in rows]


def test_one_that_is_refused_fails_alone_with_its_reason_and_its_key_waits_behind_it(client, stream):
    bad = NewEvent(stream, "bad", key="a", headers={"k": "v" * 2000})
    publish_all(
        NewEvent(stream, 1, key="a"),
        bad,
        NewEvent(stream, 2, key="a"),
        NewEvent(stream, 3, key="b"),
        NewEvent(stream, 4),
    )
    assert relay_what_waits(client) == 3
    assert payloads(client, stream) == [1, 3, 4]
    assert waiting(stream) == [('"bad"', True), ("2", False)]
    failed = OutboxEvent.objects.get(failed_at__isnull=False)
    assert "headers" in failed.error
    # Somebody discards it: its key goes on.
    failed.delete()
    assert relay_what_waits(client) == 1
    assert payloads(client, stream) == [1, 3, 4, 2]


def test_a_stream_that_is_not_there_yet_is_waited_for_and_others_go_on(client, stream):
    missing = f"{stream}-later"
    publish_all(NewEvent(missing, 1), NewEvent(stream, 2))
    relay_once(client)
    assert payloads(client, stream) == [2]
    batch = OutboxBatch.objects.get(stream=missing)
    assert "stream_not_found" in batch.last_error
    assert batch.uncertain_since is None
    assert relay_once(client) == 0
    client.streams.create(missing)
    OutboxBatch.objects.update(next_attempt_at=None)
    assert relay_once(client) == 1
    assert payloads(client, missing) == [1]


def test_while_nobody_answers_all_waits_and_is_certain_not_to_be_stored(client, stream):
    publish_all(*(NewEvent(stream, n, key="k") for n in range(3)))
    once = Retries(attempt_seconds=2, total_seconds=0)
    with EventFlow("http://127.0.0.1:9", key="evf_nobody", retries=once) as nobody:
        assert relay_once(nobody) == 0
    batch = OutboxBatch.objects.get()
    assert (batch.attempt_count, batch.uncertain_since) == (1, None)
    assert batch.next_attempt_at > timezone.now() - timedelta(seconds=1)
    batch.next_attempt_at = None
    batch.save()
    assert relay_what_waits(client) == 3
    assert payloads(client, stream) == [0, 1, 2]


def test_more_than_one_request_takes_is_shared_out(client, stream, settings):
    settings.EVENTFLOW = {"BATCH_BYTES": 100_000, "BATCH_EVENTS": 10}
    publish_all(
        *(NewEvent(stream, f"{n} " + "x" * 30_000, key="k") for n in range(8)),
        *(NewEvent(stream, n) for n in range(25)),
    )
    sizes = []
    while sent := relay_once(client):
        sizes.append(sent)
    assert sizes == [3, 3, 10, 10, 7]
    assert [str(each).split()[0] for each in payloads(client, stream)] == [*map(str, range(8)), *map(str, range(25))]


def test_what_nobody_can_tell_any_more_is_not_sent_again_unasked(client, stream):
    """The server has forgotten the key of an attempt whose answer was lost a day ago."""
    publish_all(NewEvent(stream, 1, key="k"), NewEvent(stream, 2))
    batch = OutboxBatch.objects.create(
        stream=stream, attempt_count=1, uncertain_since=timezone.now() - timedelta(hours=23, minutes=1)
    )
    OutboxEvent.objects.filter(stream=stream).update(batch=batch)
    assert relay_once(client) == 0
    assert payloads(client, stream) == []
    assert waiting(stream) == [("1", True), ("2", True)]
    assert OutboxEvent.objects.first().error.startswith("Nobody knows whether it is stored")


def test_a_request_that_is_too_large_goes_in_halves(client, stream, settings):
    settings.EVENTFLOW = {"BATCH_BYTES": 20_000_000}
    publish_all(*(NewEvent(stream, f"{n} " + "x" * 900_000, key="k") for n in range(11)))
    sizes = []
    while waiting(stream):
        sizes.append(relay_once(client))
    # The server refuses the eleven of them; the second request has five of them, the third those that are left.
    assert sizes == [0, 5, 6]
    assert [each.split()[0] for each in payloads(client, stream)] == [*map(str, range(11))]


def test_what_was_stored_under_the_same_name_with_other_bytes_is_left_to_people(client, stream):
    publish_all(NewEvent(stream, 1), NewEvent(stream, 2))
    batch = OutboxBatch.objects.create(stream=stream)
    OutboxEvent.objects.filter(stream=stream).update(batch=batch)
    client.send(stream, "somebody else's", idempotency_key=str(batch.pk))
    assert relay_once(client) == 0
    assert waiting(stream) == [("1", True), ("2", True)]
    assert OutboxEvent.objects.first().error.startswith("idempotency_key_reused")
    assert payloads(client, stream) == ["somebody else's"]


def test_one_that_is_refused_alone_says_where_in_it(client, stream):
    publish_all(NewEvent(stream, 1, headers={"k": "v" * 2000}))
    assert relay_once(client) == 0
    assert OutboxEvent.objects.get().error.startswith("invalid_events: /headers")
