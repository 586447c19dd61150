"""What the periodic task deletes: whole batches from the front, by age, bytes and count, shared out among partitions."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from streams.conf import MERGE_MAX_SPAN_SECONDS
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import info_of
from streams.models import EventBatch, Partition, Stream
from streams.services import retention
from streams.services.merging import merge_limits, merge_small_batches
from streams.services.retention import Retention
from streams.tasks import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.streams.log.appending import event
from tests.web_server import test_database_url

pytestmark = pytest.mark.usefixtures("db_with_commits")


def append(stream: Stream, *sizes: int, partition: int = 0) -> None:
    """Append a batch for each size, of so many events."""
    place = info_of(stream).partition(partition)
    for size in sizes:
        # Nothing that compresses well: each event counts.
        get_log().append([PartitionAppend(place, [event(secrets.token_hex(20)) for _ in range(size)])])


def earliest(stream: Stream) -> list[int]:
    """Return each partition's earliest offset, having read what is kept."""
    found = []
    for place in info_of(stream).partitions:
        bounds = get_log().bounds([place])[place.id]
        kept = get_log().read(place, after=bounds.earliest_offset - 1, max_events=1_000, max_bytes=8 << 20)
        assert list(kept.offsets) == list(range(bounds.earliest_offset, bounds.head_offset + 1))
        found.append(bounds.earliest_offset)
    return found


def stored_sizes(stream: Stream, partition: int = 0) -> list[int]:
    """Return the stored size of each batch, oldest first."""
    batches = EventBatch.objects.filter(partition__stream=stream, partition__number=partition).order_by("last_offset")
    return [len(batch.records) for batch in batches]


def record_earlier(stream: Stream, *ages: timedelta, partition: int = 0) -> datetime:
    """Make it so that the batches, oldest first, were recorded so long ago."""
    now = timezone.now()
    batches = EventBatch.objects.filter(partition__stream=stream, partition__number=partition).order_by("last_offset")
    for batch, age in zip(batches, ages, strict=True):
        EventBatch.objects.filter(pk=batch.pk).update(recorded_at=now - age)
    return now


# --- whose clock -----------------------------------------------------------------------------------------


def test_a_worker_whose_clock_is_ahead_deletes_nothing_before_its_time(monkeypatch):
    stream = make_stream(retention_max_age_seconds=3600)
    append(stream, 2, 2)
    record_earlier(stream, timedelta(minutes=61), timedelta(minutes=59))
    right_time = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right_time() + timedelta(hours=6))

    assert delete_expired_events() == 2
    assert earliest(stream) == [3]


# --- one limit -------------------------------------------------------------------------------------------


def test_a_limit_by_count_is_shared_out_among_the_partitions():
    stream = make_stream(partitions=3, retention_max_events=30)
    append(stream, 4, 4, 4, 4, partition=0)
    append(stream, 3, partition=1)
    append(stream, 5, 5, 5, partition=2)

    # Ten of each are kept at least, and of a batch all or nothing.
    assert delete_expired_events() == 4 + 0 + 5
    assert earliest(stream) == [5, 1, 6]
    assert delete_expired_events() == 0


def test_a_limit_by_bytes_counts_what_is_stored_and_is_shared_out_among_the_partitions():
    stream = make_stream(partitions=3)
    for partition in range(3):
        append(stream, 3, 3, 3, 3, partition=partition)
    sizes = stored_sizes(stream, 0)

    def keep(kept_bytes: int) -> list[int]:
        Stream.objects.update(retention_max_bytes=3 * kept_bytes)
        delete_expired_events()
        return earliest(stream)[:1]

    assert keep(sum(sizes)) == [1]
    assert keep(sum(sizes[1:]) + 1) == [1]
    assert keep(sum(sizes[1:])) == [4]
    assert keep(sizes[3] + 1) == [7]
    assert keep(sizes[3]) == [10]


def test_a_limit_by_age_takes_what_was_recorded_before_it():
    stream = make_stream(partitions=2, retention_max_age_seconds=3600)
    append(stream, 2, 3, 1, partition=0)
    append(stream, 2, 2, partition=1)
    record_earlier(stream, timedelta(hours=3), timedelta(minutes=61), timedelta(minutes=59), partition=0)
    record_earlier(stream, timedelta(minutes=59), timedelta(minutes=1), partition=1)

    assert delete_expired_events() == 5
    assert earliest(stream) == [6, 1]
    assert delete_expired_events() == 0


def test_age_may_take_everything_and_the_next_event_has_the_next_offset():
    stream = make_stream(retention_max_age_seconds=60)
    append(stream, 2, 3)
    record_earlier(stream, timedelta(hours=2), timedelta(hours=1))

    assert delete_expired_events() == 5
    append(stream, 1)
    assert [one["offset"] for one in read_all_kept(stream)] == [6]


def read_all_kept(stream: Stream) -> list[dict[str, int]]:
    assert stream.owner is not None
    api = ApiClient(key=make_key(stream.owner))
    found: list[dict[str, int]] = api.get(f"/streams/{stream.name}/events", last_offset=0).json()
    return found


# --- which of them ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, 1),
        ({"age": 7200}, 3),
        ({"age": 7200, "events": 2}, 7),
        ({"age": 5400, "events": 100}, 5),
        ({"age": 86_400, "events": 100, "last_batches": 3}, 3),
        ({"age": 5400, "events": 100, "last_batches": 1}, 7),
    ],
)
def test_whichever_limit_comes_first_counts(limits, expected):
    stream = make_stream()
    append(stream, 2, 2, 2, 2)
    record_earlier(stream, *(timedelta(hours=hours) for hours in (2.5, 1.75, 1, 0.5)))
    sizes = stored_sizes(stream)
    Stream.objects.update(
        retention_max_age_seconds=limits.get("age"),
        retention_max_events=limits.get("events"),
        retention_max_bytes=sum(sizes[-limits["last_batches"] :]) if "last_batches" in limits else None,
    )

    assert delete_expired_events() == expected - 1
    assert earliest(stream) == [expected]


def test_each_stream_has_limits_of_its_own():
    short, long, endless = make_stream(retention_max_events=1), make_stream(retention_max_events=5), make_stream()
    for stream in (short, long, endless):
        append(stream, *[1] * 8)

    assert delete_expired_events() == 7 + 3
    assert [earliest(stream) for stream in (short, long, endless)] == [[8], [4], [1]]


@pytest.mark.parametrize("age", [10**11, 2**63 - 1])
def test_an_age_beyond_all_times_keeps_everything_and_holds_up_no_other_stream(age):
    endless, short = make_stream("a", retention_max_events=100), make_stream("b", retention_max_events=1)
    # As a form took it once: no door lets it in any more.
    Stream.objects.filter(pk=endless.pk).update(retention_max_age_seconds=age)
    for stream in (endless, short):
        append(stream, *[1] * 8)

    assert delete_expired_events() == 7
    assert [earliest(stream) for stream in (endless, short)] == [[1], [8]]
    assert merge_limits(Retention(age, None, None), partitions=1, now=timezone.now()).max_span == timedelta(
        seconds=MERGE_MAX_SPAN_SECONDS
    )


@pytest.mark.parametrize("limit", ["retention_max_events", "retention_max_bytes"])
def test_the_newest_stays_however_small_its_share_is(limit):
    stream = make_stream(partitions=3, **{limit: 2})
    for partition in range(3):
        append(stream, 1, 1, partition=partition)

    assert delete_expired_events() == 3
    assert earliest(stream) == [2, 2, 2]


# --- how it is done --------------------------------------------------------------------------------------


def test_one_tick_takes_only_so_much_and_the_next_ones_take_the_rest(monkeypatch):
    monkeypatch.setattr(retention, "MAX_STEPS", 2)
    stream = make_stream(retention_max_events=1)
    append(stream, 1)
    place = Partition.objects.get()
    many = 2_500
    with connection.cursor() as cursor:
        # As many appends would have left them, behind the one.
        cursor.execute(
            "INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)"
            " SELECT partition_id, last_offset + number, 1, recorded_at, codec, records"
            " FROM streams_eventbatch, generate_series(1, %s) AS number",
            [many],
        )
    Partition.objects.update(head_offset=many + 1, stored_bytes=place.stored_bytes * (many + 1))

    assert [delete_expired_events() for _ in range(3)] == [2_000, 500, 0]
    assert earliest(stream) == [many + 1]
    assert Partition.objects.get().stored_bytes == place.stored_bytes


def test_a_reader_is_told_what_is_gone_and_the_stream_says_what_is_kept():
    owner = make_owner()
    stream = make_stream("orders", owner=owner, retention_max_events=3)
    append(stream, 2, 2, 2)
    delete_expired_events()

    api = ApiClient(key=make_key(owner))
    answer = api.get("/streams/orders/events", last_offset=1)
    assert answer.headers["EventFlow-Gap"] == "2-2"
    assert [one["offset"] for one in answer.json()] == [3, 4, 5, 6]
    assert api.get("/streams/orders/events/0/2").json()["code"] == "event_expired"
    stats = api.get("/streams/orders/stats").json()
    assert (stats["earliest_offset"], stats["head_offset"]) == (3, 6)
    assert "EventFlow-Gap" not in api.get("/streams/orders/events", last_offset=2).headers


# --- what stands in its way -------------------------------------------------------------------------------


@pytest.fixture
def hold() -> Iterator[Callable[[Stream], None]]:
    """Hold a stream's partitions, as a transaction does that somebody began in psql and forgot."""
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
    with psycopg.connect(test_database_url()) as person:

        def hold_it(stream: Stream) -> None:
            person.execute("SELECT FROM streams_partition WHERE stream_id = %s FOR UPDATE", [stream.pk])

        yield hold_it
        person.rollback()
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")


def test_a_partition_that_somebody_holds_keeps_no_other_from_being_trimmed(hold):
    streams = [make_stream(retention_max_events=1) for _ in range(5)]
    for stream in streams:
        append(stream, 1, 1)
    hold(streams[1])
    hold(streams[3])

    assert delete_expired_events() == 3
    assert [earliest(stream) for stream in streams] == [[2], [1], [2], [1], [2]]


def test_where_a_whole_stream_is_held_the_tick_ends_soon_and_says_that_it_failed(hold):
    held = make_stream(partitions=40, retention_max_events=1)
    hold(held)

    started = timezone.now()
    with pytest.raises(OperationalError):
        delete_expired_events()
    assert timezone.now() - started < timedelta(seconds=2)


@pytest.mark.parametrize("age", [99_999_999_999, 2**63 - 1])
def test_an_age_beyond_the_calendar_keeps_everything_and_no_other_stream_from_being_trimmed(age):
    # Releases before this one let the command line and a setting say it.
    endless, short = make_stream(retention_max_age_seconds=age), make_stream(retention_max_events=1)
    append(endless, *[1] * 100)
    append(short, 1, 1)

    assert delete_expired_events() == 1
    assert [earliest(stream) for stream in (endless, short)] == [[1], [2]]
    assert merge_small_batches(now=timezone.now() + timedelta(minutes=1), seconds=10) == 99
