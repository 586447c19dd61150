"""What waits after a long absence costs no request more than what waits every second."""

import pytest
from django.db import connection, transaction
from eventflow_django import NewEvent, publish_many
from eventflow_django.batches import sendable, waiting_streams
from eventflow_django.models import OutboxEvent

pytestmark = pytest.mark.django_db(transaction=True)


def publish_all(*events: NewEvent) -> None:
    with transaction.atomic():
        publish_many(events)


def test_streams_are_found_along_the_index_one_step_for_each(django_assert_num_queries):
    publish_all(*(NewEvent(f"stream-{n % 3}", n, key=f"k{n % 50}") for n in range(6_000)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE eventflow_django_outboxevent")
    with django_assert_num_queries(4):
        assert list(waiting_streams("default")) == ["stream-0", "stream-1", "stream-2"]
    plan = sendable("default").order_by("stream").values_list("stream")[:1].explain()
    assert "outboxevent_waiting" in plan
    assert not {"Seq", "Sort", "Hash", "HashAggregate"} & set(plan.split())


def test_a_stream_whose_events_all_wait_behind_one_that_failed_has_nothing_to_send():
    publish_all(NewEvent("held-up", 1, key="k"), NewEvent("held-up", 2, key="k"), NewEvent("other", 3, key="k"))
    first = OutboxEvent.objects.order_by("id").first()
    OutboxEvent.objects.filter(pk=first.pk).update(failed_at=first.published_at)
    assert list(waiting_streams("default")) == ["other"]
