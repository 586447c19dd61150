"""Retention runs while others append and read: the counters stay true and no reader is misled."""

import threading
import time
from collections import Counter

from django.db import connection, transaction

from streams.log.protocol import PartitionAppend
from tests.run.instance import wait_for
from tests.streams.log.appending import REFUSED, STORED, Load, appending_here, event
from tests.threads import SECONDS, Work, at_once


def append(log, partition, *names):
    return log.append([PartitionAppend(partition, [event(name) for name in names])])


def check_counters(partition):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.earliest_offset, p.head_offset, p.stored_bytes, count(b), coalesce(sum(b.event_count), 0),"
            " coalesce(sum(octet_length(b.records)), 0), min(b.last_offset - b.event_count + 1), max(b.last_offset)"
            " FROM streams_partition p LEFT JOIN streams_eventbatch b ON b.partition_id = p.id"
            " WHERE p.id = %s GROUP BY p.id",
            [partition.id],
        )
        earliest, head, stored, batches, events, size, first, last = cursor.fetchone()
    assert (events, size) == (head - earliest + 1, stored)
    if batches:
        assert (first, last) == (earliest, head)
    return events


def test_trims_at_the_same_time_count_each_batch_once(partition, postgres_log):
    for number in range(60):
        append(postgres_log, partition, *(f"{number}-{i}" for i in range(3)))

    taken = at_once(*[lambda: postgres_log.trim(partition, keep_events=30, max_batches=7)] * 12)
    assert sum(taken) == 150
    # Seven batches of three at most each: so they were at least eight.
    assert max(taken) <= 21
    assert check_counters(partition) == 30


def test_counters_stay_true_while_appends_and_trims_go_on(make_partitions, postgres_log):
    partitions = make_partitions(2)
    trims = 0
    with appending_here(postgres_log, Load(partitions, threads=6)) as outcomes:
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline or trims < 10:
            assert time.monotonic() < deadline + SECONDS
            for partition in partitions:
                trims += postgres_log.trim(partition, keep_events=50, max_batches=20) > 0
    assert {outcome for outcome, _, _ in outcomes.of.values()} == {STORED}
    stored = Counter(partition_id for _, partition_id, _ in outcomes.of.values())
    for partition in partitions:
        head = postgres_log.bounds([partition])[partition.id].head_offset
        assert head == stored[partition.id]
        while postgres_log.trim(partition, keep_events=50):
            pass
        kept = check_counters(partition)
        # Whole batches only: at most one batch more than asked for, and that holds what six threads sent at once.
        assert min(head, 50) <= kept < 50 + 6 * 2 * 5


def test_a_reader_whom_retention_overtakes_gets_a_gap_and_then_every_event_that_follows(
    partition, make_log, postgres_log
):
    """For each engine's cache, warm or none: the asked-for offset, the gap and the events join without a hole."""
    logs = [postgres_log, make_log(cache_bytes=0), make_log(cache_bytes=20_000)]
    stop = threading.Event()
    gaps = dict.fromkeys(logs, 0)
    events = dict.fromkeys(logs, 0)

    def read(log):
        position = 0
        while not stop.is_set():
            result = log.read(partition, after=position, max_events=40, max_bytes=1 << 20)
            first = position + 1
            if result.gap is not None:
                assert result.gap.first_offset == first <= result.gap.last_offset
                first = result.gap.last_offset + 1
                gaps[log] += 1
                assert result.bounds.earliest_offset >= first
            assert list(result.offsets) == list(range(first, first + len(result.events)))
            assert result.next_offset == first + len(result.events) - 1
            events[log] += len(result.events)
            position = result.next_offset if result.next_offset < result.bounds.head_offset else position // 2

    def trim():
        while not stop.is_set():
            postgres_log.trim(partition, keep_events=30, max_batches=3)
            time.sleep(0.002)

    with appending_here(postgres_log, Load([partition], threads=3)) as outcomes:
        works = [Work(trim), *(Work(lambda log=log: read(log)) for log in logs)]
        time.sleep(2)
        try:
            wait_for("every engine to be overtaken", lambda: min(gaps.values()) >= 3 and min(events.values()) >= 100)
        finally:
            stop.set()
            for work in works:
                work.result()
    assert {outcome for outcome, _, _ in outcomes.of.values()} == {STORED}


def test_a_moment_is_found_though_retention_takes_the_front_while_it_is_looked_for(partition, postgres_log):
    began = append(postgres_log, partition, "a").ranges[0].recorded_at
    for number in range(20):
        append(postgres_log, partition, f"{number}-0", f"{number}-1")
    looks = []

    def overtake(execute, sql, *rest):
        looks.append(sql)
        assert len(looks) < 50, "it is looked for without end"
        if len(looks) == 2:
            # The ends are known by now.
            assert postgres_log.trim(partition, keep_events=11) == 29
        return execute(sql, *rest)

    with connection.execute_wrapper(overtake):
        assert postgres_log.offset_at(partition, began) == 30


def test_an_old_snapshot_does_not_see_what_the_cache_has_learnt_since(partition, postgres_log):
    append(postgres_log, partition, "a")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000).next_offset == 1
        append(postgres_log, partition, "b")

        reading = Work(lambda: postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000).next_offset)
        assert reading.result() == 2
        result = postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000)
        assert (result.next_offset, result.bounds.head_offset, len(result.events)) == (1, 1, 1)


def test_dropping_under_load_answers_every_append_and_leaves_nothing(make_partitions, postgres_log):
    kept, dropped = make_partitions(2)
    with appending_here(postgres_log, Load([kept, dropped], threads=6)) as outcomes:
        wait_for("appends to both", lambda: {of for _, of, _ in list(outcomes.of.values())} == {kept.id, dropped.id})
        postgres_log.drop([dropped])
        refused = outcomes.count(REFUSED)
        wait_for("appends that are too late", lambda: outcomes.count(REFUSED) > refused)
        stored = outcomes.count(STORED)
        wait_for("appends to the other", lambda: outcomes.count(STORED) > stored)
    assert {outcome for outcome, _, _ in outcomes.of.values()} == {STORED, REFUSED}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM streams_eventbatch WHERE partition_id = %s", [dropped.id])
        assert cursor.fetchone() == (0,)
    assert check_counters(kept) == sum(
        outcome == STORED and partition_id == kept.id for outcome, partition_id, _ in outcomes.of.values()
    )
