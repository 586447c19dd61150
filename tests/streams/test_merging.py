"""Small batches become full ones in the background, and nobody who reads sees a difference."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Length
from django.utils import timezone

from streams.conf import MERGE_AFTER_SECONDS, MERGE_OPEN_BATCHES
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import info_of
from streams.models import EventBatch, Partition, Stream
from streams.queries import count_events_to_merge
from streams.services.merging import merge_limits, merge_small_batches
from streams.services.retention import Retention
from streams.tasks import delete_expired_events
from tests.client import ApiClient
from tests.concurrency.test_log_retention import check_counters
from tests.factories import make_key, make_owner, make_stream
from tests.streams.log.appending import event
from tests.web_server import test_database_url

pytestmark = pytest.mark.usefixtures("db_with_commits")

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def later(seconds: float = MERGE_AFTER_SECONDS + 1) -> datetime:
    return timezone.now() + timedelta(seconds=seconds)


def merge(now: datetime | None = None) -> int:
    return merge_small_batches(now=now or later(), seconds=60)


def append_singles(stream: Stream, count: int, *, partition: int = 0) -> None:
    place = info_of(stream).partition(partition)
    for number in range(count):
        get_log().append([PartitionAppend(place, [event(str(number), 50)])])


def read_bytes(stream: Stream, *, partition: int = 0) -> list[bytes]:
    place = info_of(stream).partition(partition)
    found: list[bytes] = []
    position = get_log().bounds([place])[place.id].earliest_offset - 1
    while (result := get_log().read(place, after=position, max_events=700, max_bytes=1 << 22)).events:
        found += result.events
        position = result.next_offset
    return found


def batches(stream: Stream, partition: int = 0) -> list[int]:
    """Return how many events each stored batch holds, oldest first."""
    found = EventBatch.objects.filter(partition__stream=stream, partition__number=partition)
    return list(found.order_by("last_offset").values_list("event_count", flat=True))


# --- seen from outside -----------------------------------------------------------------------------------


def test_two_thousand_single_appends_take_a_quarter_of_the_room_afterwards_and_read_the_same():
    owner = make_owner()
    stream = make_stream("orders", owner=owner)
    api = ApiClient(key=make_key(owner))
    for number in range(2_000):
        order = {"order_id": number, "customer": f"customer-{number % 97}", "amount": number * 7919, "currency": "EUR"}
        answer = api.post(
            "/events", {"stream": "orders", "type": "order.created", "key": f"c-{number}", "payload": order}
        )
        assert answer.status_code == 202

    def read_over_http() -> list[bytes]:
        pages: list[bytes] = []
        position = 0
        while True:
            page = api.get("/streams/orders/events", last_offset=position, limit=1_000)
            if page.content == b"[]":
                return pages
            pages.append(page.content)
            position = int(page.headers["EventFlow-Next-Offset"])

    def sizes() -> tuple[int, int]:
        stored = EventBatch.objects.aggregate(size=Sum(Length("records")))["size"]
        assert Partition.objects.get().stored_bytes == stored
        return EventBatch.objects.count(), stored

    before, (rows, size) = read_over_http(), sizes()
    assert (rows, len(before)) == (2_000, 2)
    merge()
    rows_after, size_after = sizes()
    assert rows_after <= rows / 4
    assert size_after <= size / 4
    assert read_over_http() == before
    # A process that remembers nothing reads the same as one that remembers the small ones.
    place = info_of(stream).partitions[0]
    get_log()._reader.cache.discard(place.id)
    assert read_over_http() == before
    assert api.get("/streams/orders/events/0/1234").json()["payload"]["order_id"] == 1233
    call_command("verify_log", "orders")


# --- what is merged, and when ----------------------------------------------------------------------------


def test_what_was_just_appended_is_left_alone():
    stream = make_stream()
    append_singles(stream, 200)
    assert merge(timezone.now()) == 0
    assert batches(stream) == [1] * 200
    assert merge() == 199


def test_a_few_batches_wait_for_more_and_then_fill_the_same_row_up():
    stream = make_stream()
    append_singles(stream, MERGE_OPEN_BATCHES)
    assert merge() == 0
    append_singles(stream, 1)
    assert merge() == MERGE_OPEN_BATCHES
    append_singles(stream, MERGE_OPEN_BATCHES - 1)
    assert merge() == 0
    append_singles(stream, 1)
    assert merge() == MERGE_OPEN_BATCHES
    assert batches(stream) == [2 * MERGE_OPEN_BATCHES + 1]


def test_a_partition_in_which_nothing_came_is_not_looked_at_again(django_assert_num_queries):
    stream = make_stream(partitions=2)
    append_singles(stream, 100, partition=0)
    append_singles(stream, 3, partition=1)
    merge()
    with django_assert_num_queries(1):
        # Only whether there is any at all.
        assert merge() == 0


def test_a_row_that_is_full_enough_is_not_written_again():
    stream = make_stream()
    append_singles(stream, 700)
    merge()
    (row,) = EventBatch.objects.values_list("last_offset", "event_count", "records")
    append_singles(stream, 700)
    merge()
    assert batches(stream) == [700, 700]
    assert EventBatch.objects.order_by("last_offset").values_list("last_offset", "event_count", "records")[0] == row


def test_all_partitions_of_all_streams_have_their_turn_in_one_tick():
    streams = [make_stream(partitions=2), make_stream()]
    for stream in streams:
        for place in info_of(stream).partitions:
            append_singles(stream, 70, partition=place.number)
    assert merge() == 3 * 69
    assert [batches(streams[0], 0), batches(streams[0], 1), batches(streams[1])] == [[70]] * 3


def test_a_tick_whose_time_is_over_leaves_the_rest_to_the_next_one():
    streams = [make_stream() for _ in range(3)]
    for stream in streams:
        append_singles(stream, 70)
    assert [merge_small_batches(now=later(), seconds=0) for _ in range(4)] == [69, 69, 69, 0]


# --- with retention --------------------------------------------------------------------------------------


def test_what_retention_is_about_to_take_is_not_merged_before():
    stream = make_stream(retention_max_events=2_000)
    append_singles(stream, 400)
    # All but the newest 150 go.
    Stream.objects.update(retention_max_events=150)
    merge()
    assert sum(batches(stream)[:250]) == 250
    before = read_bytes(stream)[-150:]
    assert delete_expired_events() == 250
    assert read_bytes(stream) == before


def test_what_is_kept_for_minutes_is_never_merged_and_not_looked_for_again(django_assert_num_queries):
    stream = make_stream(retention_max_age_seconds=300)
    append_singles(stream, 200)
    assert merge() == 0
    assert count_events_to_merge() == 0
    with django_assert_num_queries(1):
        assert merge() == 0


def test_events_are_kept_at_most_a_twenty_fourth_longer_than_a_limit_by_age_says():
    limits = merge_limits(Retention(86_400, None, None), partitions=1, now=NOW)
    assert limits.max_span == timedelta(hours=1)
    assert limits.recorded_before == NOW - timedelta(seconds=MERGE_AFTER_SECONDS)


def test_without_a_limit_a_batch_spans_a_day_at_most():
    assert merge_limits(Retention(None, None, None), partitions=1, now=NOW).max_span == timedelta(days=1)
    assert merge_limits(Retention(10**9, None, None), partitions=1, now=NOW).max_span == timedelta(days=1)


def test_limits_by_count_and_by_bytes_are_overrun_by_a_twentieth_at_most():
    limits = merge_limits(Retention(None, 4_000_000, 6_000), partitions=2, now=NOW)
    assert (limits.max_bytes, limits.max_events) == (100_000, 150)
    assert merge_limits(Retention(None, None, 3), partitions=2, now=NOW).max_events == 1


def test_retention_takes_merged_batches_as_any_others():
    stream = make_stream(retention_max_events=4_000)
    append_singles(stream, 1_000)
    merge()
    assert max(batches(stream)) == 200
    place = info_of(stream).partitions[0]
    before = read_bytes(stream)
    Stream.objects.update(retention_max_events=500)
    assert delete_expired_events() == 400
    assert read_bytes(stream) == before[400:]
    assert check_counters(place) == 600


def test_a_partition_that_somebody_holds_keeps_no_other_from_being_merged():
    held, other = make_stream(), make_stream()
    # The one that has most to do comes first, in every tick.
    append_singles(held, 150)
    append_singles(other, 100)
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '500ms'")
    try:
        with psycopg.connect(test_database_url()) as person:
            person.execute("SELECT FROM streams_partition WHERE stream_id = %s FOR UPDATE", [held.pk])
            # As long as a tick has, which is less than a lock is waited for.
            merge_small_batches(now=later(), seconds=0.2)
            person.rollback()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert batches(held) == [1] * 150
    assert batches(other) == [100]
