"""Retention runs while others append and read: the counters stay true and no reader is misled."""

import threading
import time

from django.db import connection, transaction

from streams.log.protocol import PartitionAppend
from tests.concurrency.test_log_outcomes import in_threads
from tests.streams.log.appending import Load, appending_here, event


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

    def trim():
        try:
            return postgres_log.trim(partition, keep_events=30, max_batches=7)
        finally:
            connection.close()

    taken = in_threads([trim] * 12)
    assert sum(taken) == 150
    assert check_counters(partition) == 30


def test_counters_stay_true_while_appends_and_trims_go_on(make_partitions, postgres_log):
    partitions = make_partitions(2)
    with appending_here(postgres_log, Load(partitions, threads=6)):
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            for partition in partitions:
                postgres_log.trim(partition, keep_events=50, max_batches=20)
    for partition in partitions:
        head = postgres_log.bounds([partition])[partition.id].head_offset
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
    gaps = []

    def read(log):
        position = 0
        try:
            while not stop.is_set():
                result = log.read(partition, after=position, max_events=40, max_bytes=1 << 20)
                first = position + 1
                if result.gap is not None:
                    assert result.gap.first_offset == first <= result.gap.last_offset
                    first = result.gap.last_offset + 1
                    gaps.append(result.gap)
                    assert result.bounds.earliest_offset >= first
                assert list(result.offsets) == list(range(first, first + len(result.events)))
                assert result.next_offset == first + len(result.events) - 1
                position = result.next_offset if result.next_offset < result.bounds.head_offset else position // 2
        finally:
            connection.close()

    def trim():
        while not stop.is_set():
            postgres_log.trim(partition, keep_events=30, max_batches=3)
            time.sleep(0.002)
        connection.close()

    results = []
    runner = threading.Thread(target=lambda: results.extend(in_threads([lambda one=one: read(one) for one in logs])))
    trimmer = threading.Thread(target=trim)
    with appending_here(postgres_log, Load([partition], threads=3)):
        runner.start()
        trimmer.start()
        time.sleep(2)
        stop.set()
        runner.join()
        trimmer.join()
    assert results == [None, None, None]
    assert gaps


def test_an_old_snapshot_does_not_see_what_the_cache_has_learnt_since(partition, postgres_log):
    append(postgres_log, partition, "a")
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        assert postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000).next_offset == 1
        append(postgres_log, partition, "b")

        def read_all():
            try:
                return postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000).next_offset
            finally:
                connection.close()

        assert in_threads([read_all]) == [2]
        result = postgres_log.read(partition, after=0, max_events=10, max_bytes=10_000)
        assert (result.next_offset, result.bounds.head_offset, len(result.events)) == (1, 1, 1)


def test_dropping_under_load_answers_every_append_and_leaves_nothing(make_partitions, postgres_log):
    kept, dropped = make_partitions(2)
    with appending_here(postgres_log, Load([kept, dropped], threads=6)) as outcomes:
        time.sleep(0.5)
        postgres_log.drop([dropped])
        time.sleep(0.3)
    assert {outcome for outcome, _, _ in outcomes.of.values()} <= {"stored", "refused"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM streams_eventbatch WHERE partition_id = %s", [dropped.id])
        assert cursor.fetchone() == (0,)
    check_counters(kept)
