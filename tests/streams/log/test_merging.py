"""Merging as the engine on PostgreSQL does it: one row in place of many, and everything else as it was."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from streams.conf import MERGE_OPEN_BATCHES, MERGE_STEP_BATCHES, MERGE_STEP_MERGED
from streams.log.batches import CODEC_TIMED_PLAIN, CODEC_TIMED_ZSTD, CODEC_ZSTD
from streams.log.protocol import LogDamaged, MergeLimits, PartitionAppend
from streams.models import EventBatch, Partition
from streams.stored_event import recorded_at_of
from tests.concurrency.test_log_retention import check_counters
from tests.streams.log.appending import event
from tests.threads import Work

EVERYTHING = MergeLimits(datetime(2999, 1, 1, tzinfo=UTC), max_span=timedelta(days=36_500))
AT = datetime(2026, 11, 22, 10, tzinfo=UTC)


def append(log, partition, *names, size=0):
    log.append([PartitionAppend(partition, [event(str(name), size) for name in names])])


def append_singles(log, partition, count, size=0):
    for number in range(count):
        append(log, partition, number, size=size)


def read(log, partition, after=0, max_events=1_000):
    return log.read(partition, after=after, max_events=max_events, max_bytes=8 << 20)


def merge(log, partition, limits=EVERYTHING):
    done = []
    while not done or not done[-1].is_done:
        done.append(log.merge(partition, limits))
    return sum(step.batches_gone for step in done)


def rows(partition):
    return list(
        EventBatch.objects.filter(partition_id=partition.id)
        .order_by("last_offset")
        .values_list("last_offset", "event_count", "codec")
    )


def moments_around(events):
    """Yield every time at which an event was recorded, and those a microsecond before and after."""
    for at in sorted(set(map(recorded_at_of, events))):
        yield from (at - timedelta(microseconds=1), at, at + timedelta(microseconds=1))


# --- what stays ------------------------------------------------------------------------------------------


def test_every_read_at_every_position_returns_the_same_bytes(partition, make_log):
    log = make_log()
    for number in range(120):
        append(log, partition, *range(number % 4 + 1))
    head = log.bounds([partition])[partition.id].head_offset
    before = [read(log, partition, after=after, max_events=7) for after in range(head + 1)]

    assert merge(log, partition) == 119

    assert rows(partition) == [(head, head, CODEC_TIMED_ZSTD)]
    # As before: with what it remembers, as a process that remembers nothing, and as one that now does.
    for engine in (log, make_log(cache_bytes=0), fresh := make_log(), fresh):
        assert [read(engine, partition, after=after, max_events=7) for after in range(head + 1)] == before
    check_counters(partition)


def test_all_that_asks_for_times_gets_the_same_answers(partition, postgres_log):
    log = postgres_log
    for number in range(80):
        append(log, partition, *range(number % 3 + 1))
    events = read(log, partition).events
    moments = list(moments_around(events))

    def answers():
        # Retention by age itself looks at whole batches; what is told of those that stay is exact.
        return (
            [log.offset_at(partition, at) for at in moments],
            log.recorded_after([(partition, after) for after in range(len(events) + 1)]),
            [log.foresee_trim([partition], keep_events=len(events))[partition.id]],
        )

    before = answers()
    assert len(set(before[0])) > 70
    merge(log, partition)
    assert len(rows(partition)) == 1
    assert answers() == before


def test_a_batch_goes_by_age_when_its_newest_event_may(partition, postgres_log):
    append_singles(postgres_log, partition, 70)
    events = read(postgres_log, partition).events
    merge(postgres_log, partition)
    append(postgres_log, partition, "last")
    newest = recorded_at_of(events[-1])
    for limit in (recorded_at_of(events[0]) + timedelta(microseconds=1), newest):
        assert postgres_log.foresee_trim([partition], recorded_before=limit)[partition.id].first_kept == 1
        assert postgres_log.trim(partition, recorded_before=limit) == 0
    limit = newest + timedelta(microseconds=1)
    front = postgres_log.foresee_trim([partition], recorded_before=limit)[partition.id]
    assert (front.first_kept, postgres_log.trim(partition, recorded_before=limit)) == (71, 70)
    check_counters(partition)


def test_batches_of_one_moment_become_one_that_looks_like_any_other(partition, postgres_log):
    append_singles(postgres_log, partition, 70)
    EventBatch.objects.update(recorded_at=AT)
    merge(postgres_log, partition)
    assert rows(partition) == [(70, 70, CODEC_ZSTD)]
    assert {recorded_at_of(text) for text in read(postgres_log, partition).events} == {AT}


def test_what_does_not_shrink_is_kept_plain_with_its_times(partition, postgres_log):
    for record in (b'{"a":1}', b'{"bc":"23"}', b'{"def":[4]}', b'{"g":null}', b'{"hi":true}'):
        postgres_log.append([PartitionAppend(partition, [record])])
    before = read(postgres_log, partition)
    merge(postgres_log, partition, EVERYTHING._replace(max_events=5))
    assert rows(partition) == [(5, 5, CODEC_TIMED_PLAIN)]
    assert read(postgres_log, partition) == before
    erased = postgres_log.erase(partition, 2, at=AT)
    assert read(postgres_log, partition, after=1, max_events=1).events == [erased.event]
    check_counters(partition)


def test_what_was_erased_stays_erased_and_what_was_merged_can_be_erased(partition, make_log):
    here, there = make_log(), make_log()
    append_singles(here, partition, 70, size=20)
    here.erase(partition, 10, at=AT)
    before = read(here, partition)
    read(there, partition)
    merge(here, partition)
    assert read(here, partition) == read(there, partition) == read(make_log(), partition) == before

    erased = here.erase(partition, 20, at=AT)

    after = list(before.events)
    after[19] = erased.event
    assert recorded_at_of(erased.event) == recorded_at_of(before.events[19])
    for log in (here, there, make_log()):
        assert read(log, partition).events == after
    assert here.erase(partition, 20, at=AT).is_new is False
    check_counters(partition)


def test_a_reader_within_an_old_snapshot_sees_no_more_than_that(partition, make_log):
    log, other = make_log(), make_log()
    append_singles(log, partition, 40)
    before = read(log, partition)
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert read(log, partition) == before

        def merge_and_learn():
            append_singles(other, partition, 40)
            merge(other, partition)
            return read(log, partition, after=40).next_offset

        # What this process remembers from now on lies across the head of the old snapshot.
        assert Work(merge_and_learn).result() == 80
        assert read(log, partition) == before
        assert read(log, partition, after=39).events == before.events[39:]


# --- what is remembered ----------------------------------------------------------------------------------


def test_a_merged_batch_takes_the_place_of_the_small_ones_in_memory(partition, make_log, django_assert_num_queries):
    log = make_log()
    append_singles(log, partition, 100)
    read(log, partition, after=50)
    merge(log, partition)
    assert read(log, partition).next_offset == 100
    assert [one.last_offset for one in log._reader.cache.run(partition.id, after=0, max_events=9, max_bytes=9)] == [100]
    with django_assert_num_queries(1):
        assert read(log, partition, after=20).next_offset == 100


# --- how it is done --------------------------------------------------------------------------------------


def test_one_step_looks_at_so_many_batches_and_the_next_goes_on_where_it_stopped(partition, postgres_log):
    many = 2 * MERGE_STEP_BATCHES + 100
    append(postgres_log, partition, "a")
    with connection.cursor() as cursor:
        # As many appends would have left them, behind the one.
        cursor.execute(
            "INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)"
            " SELECT partition_id, last_offset + number, 1, recorded_at + number * interval '1 ms', codec, records"
            " FROM streams_eventbatch, generate_series(1, %s) AS number",
            [many - 1],
        )
    size = EventBatch.objects.values_list("records", flat=True)[0]
    Partition.objects.update(
        head_offset=many,
        stored_bytes=len(size) * many,
        last_recorded_at=EventBatch.objects.latest("last_offset").recorded_at,
    )
    steps = [postgres_log.merge(partition, EVERYTHING) for _ in range(4)]
    assert [step.is_done for step in steps] == [False, False, True, True]
    assert [step.batches for step in steps] == [2, 2, 1, 0]
    assert [count for _, count, _ in rows(partition)] == [1_000, 1_000, 1_000, 1_000, 100]
    check_counters(partition)


def test_one_step_makes_no_more_than_so_many(partition, postgres_log):
    for _ in range(5 * (MERGE_STEP_MERGED + 3)):
        append(postgres_log, partition, *range(200))
    steps = [postgres_log.merge(partition, EVERYTHING) for _ in range(3)]
    assert [(step.batches, step.is_done) for step in steps] == [(MERGE_STEP_MERGED, False), (3, True), (0, True)]
    assert [count for _, count, _ in rows(partition)] == [1_000] * (MERGE_STEP_MERGED + 3)


def test_nothing_young_and_nothing_before_an_offset_is_touched(partition, postgres_log):
    append_singles(postgres_log, partition, 300)
    events = read(postgres_log, partition).events
    limits = EVERYTHING._replace(after=100, recorded_before=recorded_at_of(events[250]))
    merge(postgres_log, partition, limits)
    kept = sum(recorded_at_of(text) < limits.recorded_before for text in events)
    counts = [count for _, count, _ in rows(partition)]
    assert counts == [1] * 100 + [kept - 100] + [1] * (300 - kept)
    assert read(postgres_log, partition).events == events


def test_a_row_is_written_anew_only_when_enough_has_come(partition, postgres_log):
    append_singles(postgres_log, partition, MERGE_OPEN_BATCHES + 1)
    assert merge(postgres_log, partition) == MERGE_OPEN_BATCHES
    noted = Partition.objects.get()
    assert (noted.merged_to, noted.merge_due_head) == (MERGE_OPEN_BATCHES, 2 * MERGE_OPEN_BATCHES + 1)
    assert merge(postgres_log, partition) == 0
    append_singles(postgres_log, partition, MERGE_OPEN_BATCHES - 1)
    assert merge(postgres_log, partition) == 0


def test_a_partition_that_is_empty_or_gone_has_nothing_to_merge(partition, postgres_log):
    assert merge(postgres_log, partition) == 0
    append_singles(postgres_log, partition, 70)
    while postgres_log.trim(partition, keep_events=0):
        pass
    assert merge(postgres_log, partition) == 0
    postgres_log.drop([partition])
    assert merge(postgres_log, partition) == 0


def test_what_retention_took_half_of_is_merged_from_there(partition, postgres_log):
    append_singles(postgres_log, partition, 100)
    before = read(postgres_log, partition).events
    postgres_log.trim(partition, keep_events=70)
    assert merge(postgres_log, partition) == 69
    assert read(postgres_log, partition, after=30).events == before[30:]
    check_counters(partition)


@pytest.mark.parametrize(
    "meanwhile",
    [
        "UPDATE streams_partition SET erasure_mark = 5",
        "UPDATE streams_partition SET merged_to = 3",
        "UPDATE streams_partition SET earliest_offset = 2",
    ],
)
def test_nothing_is_put_in_place_of_what_changed_since_it_was_read(partition, postgres_log, meanwhile, monkeypatch):
    append_singles(postgres_log, partition, 70)
    before = rows(partition)

    def pack_and_lose_the_race(*args, **options):
        with connection.cursor() as cursor:
            cursor.execute(meanwhile)
        return pack_again(*args, **options)

    from streams.log import merging

    pack_again = merging.pack_again
    monkeypatch.setattr(merging, "pack_again", pack_and_lose_the_race)
    done = postgres_log.merge(partition, EVERYTHING)
    assert (done.batches, done.is_done) == (0, True)
    assert rows(partition) == before


# --- damage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "unreadable"),
    [
        ("UPDATE streams_eventbatch SET records = 'x' WHERE last_offset = 40", 1),
        ("UPDATE streams_eventbatch SET codec = 9 WHERE last_offset = 40", 1),
        ("UPDATE streams_eventbatch SET codec = 1 WHERE last_offset IN (40, 42)", 2),
        ("UPDATE streams_eventbatch SET codec = 2 WHERE last_offset = 40", 1),
        ("DELETE FROM streams_eventbatch WHERE last_offset = 40", 0),
    ],
)
def test_what_cannot_be_read_is_left_as_it_is_told_once_and_the_rest_goes_on(
    partition, postgres_log, damage, unreadable, caplog
):
    # Short enough to be stored plain.
    append_singles(postgres_log, partition, 70)
    with connection.cursor() as cursor:
        cursor.execute(damage)
    damaged = EventBatch.objects.filter(last_offset__in=[40, 42]).order_by("last_offset").values_list()
    before = list(damaged)

    done = postgres_log.merge(partition, EVERYTHING)

    assert done.unreadable == len([line for line in caplog.messages if "cannot be read" in line]) == unreadable
    assert rows(partition)[0][:2] == (39, 39)
    if unreadable:
        assert list(damaged)[: len(before)][0] == before[0]
        assert postgres_log.merge(partition, EVERYTHING).unreadable == 0
    assert [json_id(text) for text in read(postgres_log, partition, max_events=39).events] == list(range(39))
    with pytest.raises(LogDamaged):
        read(postgres_log, partition, after=39)
    append_singles(postgres_log, partition, 100)
    merge(postgres_log, partition)
    assert rows(partition)[-1][1] >= 100


def test_a_record_that_was_damaged_into_two_is_not_taken_for_two_events(partition, postgres_log):
    append_singles(postgres_log, partition, 70)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE streams_eventbatch SET records = '\\x7b7d0a7b7d' WHERE last_offset = 40")
    assert postgres_log.merge(partition, EVERYTHING).unreadable == 1
    assert [count for _, count, _ in rows(partition)] == [39, 1, 30]


def json_id(text):
    return int(text.split(b'"id":"')[1].split(b'"')[0])


@pytest.mark.parametrize("damage", ["'\\x0500'::bytea || substring(records FROM 3)", "substring(records FROM 1 FOR 9)"])
def test_damaged_times_are_refused_by_readers_and_not_by_who_only_asks_when(partition, make_log, damage):
    log = make_log()
    append_singles(log, partition, 70)
    newest = recorded_at_of(read(log, partition).events[-1])
    merge(log, partition)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE streams_eventbatch SET records = {damage}")
    with pytest.raises(LogDamaged):
        read(make_log(), partition)
    with pytest.raises(LogDamaged):
        log.erase(partition, 3, at=AT)
    assert log.recorded_after([(partition, 3)]) == [newest]


# --- its cost --------------------------------------------------------------------------------------------


def test_a_full_row_takes_two_looks_and_two_changes(partition, postgres_log, django_assert_num_queries):
    append_singles(postgres_log, partition, 1_000)
    with django_assert_num_queries(4):
        # What there is, the records, the row in their place, and how far it came.
        postgres_log.merge(partition, EVERYTHING)
