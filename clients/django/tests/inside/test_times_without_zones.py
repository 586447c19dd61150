"""An application with USE_TZ = False has times without a zone in its rows; all that is promised holds there too."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from eventflow_client import Event, EventFlow, Retries
from eventflow_django import NewEvent, outbox_standing, process_once, publish
from eventflow_django.amending import forget_processed
from eventflow_django.models import OutboxBatch, OutboxEvent, ProcessedEvent
from eventflow_django.relay import relay_once
from eventflow_django.relaying import relay_what_waits
from running import stored

pytestmark = pytest.mark.django_db(transaction=True)


# Far from UTC on both sides: a time that is taken for one of UTC would be in the past, or far ahead.
@pytest.fixture(autouse=True, params=["Asia/Tokyo", "America/Los_Angeles"])
def _without_zones(settings, request):
    settings.TIME_ZONE = request.param
    settings.USE_TZ = False


def publish_one(stream: str) -> None:
    with transaction.atomic():
        publish(NewEvent(stream, 1))


def test_what_is_published_is_appended(client, stream):
    publish_one(stream)
    assert outbox_standing().oldest_seconds < 60
    assert relay_what_waits(client) == 1
    assert [event["payload"] for event in stored(client, stream)] == [1]


def test_what_did_not_get_through_waits_for_its_time_and_goes(client, stream):
    publish_one(stream)
    with EventFlow("http://127.0.0.1:9", key="evf_nobody", retries=Retries(total_seconds=0)) as nobody:
        relay_once(nobody)
    OutboxBatch.objects.update(next_attempt_at=timezone.now() + timedelta(minutes=1))
    assert relay_once(client) == 0
    OutboxBatch.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))
    assert relay_once(client) == 1


def test_what_had_no_answer_for_a_day_fails(client, stream):
    publish_one(stream)
    with EventFlow("http://127.0.0.1:9", key="evf_nobody", retries=Retries(total_seconds=0)) as nobody:
        relay_once(nobody)
    for hours, is_given_up in ((22, False), (24, True)):
        OutboxBatch.objects.update(uncertain_since=timezone.now() - timedelta(hours=hours), next_attempt_at=None)
        with EventFlow("http://127.0.0.1:9", key="evf_nobody", retries=Retries(total_seconds=0)) as nobody:
            relay_once(nobody)
        assert OutboxEvent.objects.filter(failed_at__isnull=False).exists() is is_given_up


def test_marks_are_forgotten_by_their_age():
    event = Event(partition=0, offset=1, recorded_at=datetime.now(UTC), id="e", type="event")
    with process_once(event, group="g", stream="s"):
        pass
    assert forget_processed(before=datetime.now(UTC) - timedelta(minutes=5)) == 0
    assert forget_processed(before=datetime.now(UTC) + timedelta(minutes=5)) == 1
    assert not ProcessedEvent.objects.exists()
