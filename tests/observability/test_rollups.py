"""Roll-ups: what the log gained, by stream, minute and type, counted exactly once."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from observability import conf, tasks
from observability.models import RollupCursor, StreamMinute, TypePeriod
from observability.numbers import rollups
from observability.numbers.rollups import delete_old_rollups, roll_up
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import EventBatch, Partition
from streams.services.lifecycle import delete_stream
from tests.factories import make_stream
from tests.observability.appending import append, pretend_recorded

pytestmark = pytest.mark.usefixtures("db_with_commits")

TEN = datetime(2026, 11, 22, 10, 0, 30, tzinfo=UTC)


def totals(stream):
    rows = StreamMinute.objects.filter(stream=stream).values_list("events", "bytes")
    return sum(events for events, _ in rows), sum(size for _, size in rows)


def types(stream, length):
    rows = TypePeriod.objects.filter(stream=stream, length=length).values_list("type", "events")
    counted = {}
    for name, events in rows:
        counted[name] = counted.get(name, 0) + events
    return counted


def test_events_and_bytes_are_counted_by_minute():
    stream = make_stream()
    first = append(stream, "a", "b", "a")
    second = append(stream, "a")
    get_log()
    pretend_recorded(stream, 3, TEN)
    pretend_recorded(stream, 4, TEN + timedelta(minutes=1))

    assert roll_up(seconds=60) == 4

    assert list(StreamMinute.objects.order_by("minute").values_list("minute", "events", "bytes")) == [
        (TEN.replace(second=0), 3, first),
        (TEN.replace(second=0) + timedelta(minutes=1), 1, second),
    ]


def test_types_are_counted_by_minute_and_by_hour():
    stream = make_stream()
    append(stream, "a", "b", "a")
    append(stream, "a")
    pretend_recorded(stream, 3, TEN)
    pretend_recorded(stream, 4, TEN + timedelta(minutes=1))

    roll_up(seconds=60)

    minutes = TypePeriod.objects.filter(length="m").order_by("start", "type")
    assert [(row.start.minute, row.type, row.events) for row in minutes] == [(0, "a", 2), (0, "b", 1), (1, "a", 1)]
    hours = TypePeriod.objects.filter(length="h").order_by("type")
    assert [(row.start, row.type, row.events) for row in hours] == [
        (TEN.replace(second=0), "a", 3),
        (TEN.replace(second=0), "b", 1),
    ]


@pytest.mark.parametrize("is_counted_before", [True, False])
def test_what_is_erased_counts_as_large_as_it_was(is_counted_before):
    stream = make_stream()
    size = append(stream, "a", "b", payload="p" * 5_000)
    (partition,) = load_stream(stream.name).partitions
    if is_counted_before:
        roll_up(seconds=60)
    get_log().erase(partition, 2, at=TEN)
    roll_up(seconds=60)

    assert totals(stream) == (2, size)
    cursor = RollupCursor.objects.get()
    # What is left to count is computed from these two.
    assert cursor.rolled_up_bytes == Partition.objects.get().appended_bytes == size


def test_the_bytes_are_those_that_the_log_counted():
    stream = make_stream(partitions=2)
    for size in (1, 9, 10, 99, 5_000):
        append(stream, *["t"] * size, partition=size % 2, payload="p" * size)

    roll_up(seconds=60)

    counted = sum(Partition.objects.filter(stream=stream).values_list("appended_bytes", flat=True))
    assert totals(stream) == (5_119, counted)
    assert sum(RollupCursor.objects.values_list("rolled_up_bytes", flat=True)) == counted


def test_rolling_up_again_changes_nothing():
    stream = make_stream()
    append(stream, "a", "b")
    roll_up(seconds=60)

    assert roll_up(seconds=60) == 0

    assert totals(stream)[0] == 2


def test_it_goes_on_where_it_stopped():
    stream = make_stream()
    append(stream, "a")
    roll_up(seconds=60)
    append(stream, "a", "a")

    assert roll_up(seconds=60) == 2
    assert totals(stream)[0] == 3


def test_a_long_backlog_is_caught_up_in_bounded_steps(monkeypatch):
    monkeypatch.setattr(rollups, "ROLLUP_SHARE_EVENTS", 1)
    monkeypatch.setattr(rollups, "ROLLUP_STEP_EVENTS", 14)
    monkeypatch.setattr(rollups, "ROLLUP_READ_EVENTS", 5)
    stream = make_stream(partitions=2)
    for _ in range(10):
        append(stream, *["a"] * 10, partition=0)
        append(stream, *["b"] * 3, partition=1)

    ticks = 0
    while roll_up(seconds=0.0001):
        ticks += 1

    assert ticks > 1, "one tick does not do it all"
    assert totals(stream)[0] == 130
    assert types(stream, "m") == {"a": 100, "b": 30}


def test_a_step_that_fails_half_way_leaves_nothing_behind(monkeypatch):
    stream = make_stream()
    append(stream, "a")

    def fail(*args, **kwargs):
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(rollups, "_type_rows", fail)
        with pytest.raises(RuntimeError):
            roll_up(seconds=60)
    assert totals(stream) == (0, 0)

    assert roll_up(seconds=60) == 1
    assert totals(stream)[0] == 1


def test_workers_that_roll_up_at_once_count_each_event_once(monkeypatch):
    monkeypatch.setattr(rollups, "ROLLUP_SHARE_EVENTS", 1)
    monkeypatch.setattr(rollups, "ROLLUP_STEP_PARTITIONS", 2)
    monkeypatch.setattr(rollups, "ROLLUP_STEP_EVENTS", 6)
    monkeypatch.setattr(rollups, "ROLLUP_READ_EVENTS", 3)
    stream = make_stream(partitions=3)
    for round_ in range(30):
        append(stream, "a", "b", "c", partition=round_ % 3)
    counted = []

    def work():
        try:
            while step := roll_up(seconds=60):
                counted.append(step)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counted.append(roll_up(seconds=60))

    assert sum(counted) == 90
    assert totals(stream)[0] == 90
    assert types(stream, "h") == {"a": 30, "b": 30, "c": 30}


def test_what_retention_took_before_is_passed_by():
    stream = make_stream()
    append(stream, "a", "a")
    append(stream, "b")
    info = load_stream(stream.name)
    assert get_log().trim(info.partitions[0], keep_events=1) == 2

    roll_up(seconds=60)

    assert types(stream, "m") == {"b": 1}
    assert RollupCursor.objects.get().rolled_up_offset == 3


def test_a_damaged_batch_does_not_stand_in_the_way_of_other_partitions():
    damaged, sound = make_stream(), make_stream()
    append(damaged, "a")
    append(damaged, "b")
    append(damaged, "c")
    append(sound, "a")
    EventBatch.objects.filter(partition__stream=damaged, last_offset=2).update(records=b'{"id":1}', codec=0)
    EventBatch.objects.filter(partition__stream=damaged, last_offset=3).update(records=b"garbage", codec=1)

    for _ in range(2):
        roll_up(seconds=60)

    assert totals(sound)[0] == 1
    assert types(sound, "m") == {"a": 1}


def test_only_so_many_types_have_a_name_of_their_own(monkeypatch):
    monkeypatch.setattr(rollups, "ROLLUP_MAX_TYPES", 3)
    stream = make_stream()
    append(stream, "common", "common", *[f"rare-{i}" for i in range(20)])
    roll_up(seconds=60)
    append(stream, *[f"later-{i}" for i in range(20)])
    roll_up(seconds=60)

    counted = types(stream, "h")
    assert counted["common"] == 2
    assert len(counted) == 4
    assert counted[conf.OTHER_TYPES] == 38
    assert sum(counted.values()) == 42


def test_one_tick_deletes_as_many_old_roll_ups_as_a_busy_installation_writes_between_two():
    # Five minutes of a thousand streams with ten types each.
    many = 5 * conf.ROLLUP_DELETE_ROWS
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO observability_typeperiod (stream_id, length, start, type, events, bytes)"
            " SELECT number, 'm', now() - interval '31 days', 'a', 1, 1 FROM generate_series(1, %s) AS number",
            [many],
        )

    assert tasks.delete_old_rollups() == many
    assert not TypePeriod.objects.exists()


def test_roll_ups_are_deleted_after_thirty_days_and_not_before():
    stream = make_stream()
    append(stream, "a")
    append(stream, "a")
    now = datetime.now(UTC)
    pretend_recorded(stream, 1, now - timedelta(days=30, hours=2))
    pretend_recorded(stream, 2, now - timedelta(days=29))
    roll_up(seconds=60)

    assert delete_old_rollups(now=now) == 3, "a minute of the stream, a minute and an hour of the type"

    assert totals(stream)[0] == 1
    assert types(stream, "m") == {"a": 1}


def test_a_deleted_stream_takes_its_roll_ups_along():
    stream = make_stream()
    append(stream, "a")
    roll_up(seconds=60)

    delete_stream(stream=stream, confirm=stream.name)

    assert not StreamMinute.objects.exists()
    assert not TypePeriod.objects.exists()
    assert not RollupCursor.objects.exists()
