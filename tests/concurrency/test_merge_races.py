"""Batches are merged while others append, read, erase and trim, and whoever merges may be killed: nobody sees it."""

import json
import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone

from streams.log.protocol import MergeLimits, PartitionAppend
from streams.models import EventBatch, Partition
from streams.stored_event import is_erased
from tests.concurrency.test_log_retention import check_counters
from tests.consumers.leases import eventually
from tests.forked import Forked
from tests.streams.log import merging
from tests.streams.log.appending import STORED, UNKNOWN, Load, appending_here, appending_processes, check_log, event
from tests.streams.log.merging import merge_young
from tests.threads import Work, at_once, waits_for_a_lock

EVERYTHING = MergeLimits(datetime(2999, 1, 1, tzinfo=UTC), max_span=timedelta(days=36_500))


def append_singles(log, partition, count):
    for number in range(count):
        log.append([PartitionAppend(partition, [event(str(number), 40)])])


def read(log, partition, after=0):
    return log.read(partition, after=after, max_events=1_000, max_bytes=8 << 20)


@contextmanager
def merging_process(partitions):
    with Forked(merging.__name__, json.dumps([list(each) for each in partitions])) as process:
        yield process


# --- one against one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("meanwhile", ["erased", "trimmed", "merged", "dropped"])
def test_who_was_overtaken_while_it_waited_changes_nothing(partition, make_log, meanwhile):
    log, other = make_log(), make_log()
    append_singles(log, partition, 150)
    before = read(log, partition).events
    with transaction.atomic():
        match meanwhile:
            case "erased":
                other.erase(partition, 50, at=timezone.now())
            case "trimmed":
                other.trim(partition, keep_events=100)
            case "merged":
                other.merge(partition, EVERYTHING)
            case "dropped":
                other.drop([partition])
        waiting = Work(lambda: log.merge(partition, EVERYTHING))
        eventually(waits_for_a_lock)
    assert waiting.result().batches_gone == 0
    if meanwhile == "dropped":
        assert not EventBatch.objects.exists()
        return
    kept = check_counters(partition)
    after = read(make_log(), partition, after=150 - kept).events
    assert [text for text in after if text not in before] == [text for text in after if is_erased(text)]
    assert (kept, EventBatch.objects.count()) == {"erased": (150, 150), "trimmed": (100, 100), "merged": (150, 1)}[
        meanwhile
    ]
    log.merge(partition, EVERYTHING)
    assert EventBatch.objects.count() == 1
    assert read(make_log(), partition, after=150 - kept).events == after
    check_counters(partition)


@pytest.mark.parametrize("meanwhile", ["merged", "erased"])
@pytest.mark.parametrize("limit", [{"keep_events": 50}, {"keep_bytes": 300}])
def test_retention_that_waited_meets_the_batches_as_they_are_then(partition, make_log, meanwhile, limit):
    log, other = make_log(), make_log()
    append_singles(log, partition, 100)
    before = read(log, partition).events
    with transaction.atomic():
        if meanwhile == "merged":
            other.merge(partition, EVERYTHING._replace(max_events=30))
        else:
            other.erase(partition, 3, at=timezone.now())
        waiting = Work(lambda: log.trim(partition, **limit))
        eventually(waits_for_a_lock)
    gone = waiting.result()
    assert 0 < gone < 100
    assert check_counters(partition) == 100 - gone
    assert read(make_log(), partition, after=gone).events == before[gone:]


def test_several_who_merge_at_the_same_time_merge_each_batch_once(partition, make_log):
    logs = [make_log() for _ in range(6)]
    for _ in range(5):
        append_singles(logs[0], partition, 150)
        before = EventBatch.objects.count()
        gone = at_once(*[partial(log.merge, partition, EVERYTHING) for log in logs])
        assert sum(each.batches_gone for each in gone) == before - EventBatch.objects.count() > 0
        check_counters(partition)


def test_appends_go_on_while_batches_are_read_and_packed_and_wait_for_nothing_but_the_last_statement(
    partition, make_log
):
    log = make_log()
    append_singles(log, partition, 100)
    with transaction.atomic():
        # Whoever makes copies holds it, and neither disturbs the other.
        log.hold([partition])
        assert Work(lambda: log.merge(partition, EVERYTHING)).result().batches_gone == 99
        append_singles(log, partition, 1)


# --- all at once -----------------------------------------------------------------------------------------


@pytest.mark.processes
def test_no_event_is_lost_doubled_or_moved_while_appends_and_merges_go_on_and_merging_is_killed(
    make_partitions, make_log, postgres_log
):
    partitions = make_partitions(2)
    kills = gone = 0
    stop = threading.Event()
    rounds = Counter()

    def read_everything(log, partition):
        """Read from every position on: what follows is there, without a hole, and the same as ever."""
        seen: dict[int, bytes] = {}
        dice = random.Random(partition.id)
        position = 0
        while not stop.is_set():
            result = log.read(partition, after=position, max_events=dice.choice((1, 7, 100, 1_000)), max_bytes=1 << 20)
            assert result.gap is None
            assert list(result.offsets) == list(range(position + 1, position + 1 + len(result.events)))
            assert result.events or result.bounds.head_offset <= position
            for offset, text in zip(result.offsets, result.events, strict=True):
                assert seen.setdefault(offset, text) == text
            rounds[log] += 1
            position = result.next_offset
            if position == result.bounds.head_offset:
                position = dice.randrange(position + 1)

    logs = [postgres_log, make_log(cache_bytes=0), make_log(cache_bytes=20_000), make_log()]
    works = [Work(partial(read_everything, log, each)) for log in logs for each in partitions]
    try:
        with appending_processes(Load(partitions, threads=3, max_events=3)) as (appending,):
            deadline = time.monotonic() + 60
            while kills < 8 or min(rounds[log] for log in logs) < 100:
                assert time.monotonic() < deadline
                with merging_process(partitions) as process:
                    # At any moment of its work, the first merge done or not.
                    if kills % 2:
                        gone += int(process.stdout.readline())
                    time.sleep(0.02 * (kills % 5))
                kills += 1
            outcomes = appending.finish()
    finally:
        stop.set()
        for work in works:
            work.result()
    assert gone > 0
    for partition in partitions:
        while not merge_young(postgres_log, partition).is_done:
            pass
        check_counters(partition)
    counts = check_log(make_log(), partitions, [outcomes])
    assert counts[STORED] > 500
    assert counts[UNKNOWN] == 0
    assert EventBatch.objects.count() < Partition.objects.get(pk=partitions[0].id).head_offset / 4


def test_erasures_trims_merges_and_readers_get_along(partition, make_log, postgres_log):
    """What was erased stays so for every read that begins afterwards; what was not reads as it always did."""
    logs = [postgres_log, make_log(cache_bytes=0), make_log(cache_bytes=20_000), make_log()]
    stop = threading.Event()
    erased: set[int] = set()
    first_seen: dict[int, bytes] = {}
    seen, done = Counter(), Counter()

    def read_on(log):
        position = 0
        while not stop.is_set():
            known = set(erased)
            result = log.read(partition, after=position, max_events=40, max_bytes=1 << 20)
            first = position + 1 if result.gap is None else result.gap.last_offset + 1
            assert list(result.offsets) == list(range(first, first + len(result.events)))
            assert result.events or result.next_offset == result.bounds.head_offset
            for text, offset in zip(result.events, result.offsets, strict=True):
                if is_erased(text):
                    seen[log] += 1
                    continue
                assert offset not in known, f"offset {offset} was erased before it was read"
                assert first_seen.setdefault(offset, text) == text
            position = result.next_offset if result.next_offset < result.bounds.head_offset else position // 2

    def trim():
        while not stop.is_set():
            done["trimmed"] += postgres_log.trim(partition, keep_events=600, max_batches=3)
            time.sleep(0.005)

    def merge(log):
        while not stop.is_set():
            done["merged"] += merge_young(log, partition, max_events=100).batches_gone
            time.sleep(0.005)

    def erase_some():
        dice = random.Random(1)
        while not stop.is_set():
            bounds = postgres_log.bounds([partition])[partition.id]
            offset = dice.randint(bounds.earliest_offset, max(bounds.earliest_offset, bounds.head_offset))
            if postgres_log.erase(partition, offset, at=timezone.now()):
                erased.add(offset)
            time.sleep(0.005)

    with appending_here(postgres_log, Load([partition], threads=2, max_events=2)) as outcomes:
        works = [
            *(Work(call) for call in (trim, erase_some, partial(merge, logs[1]), partial(merge, logs[2]))),
            *(Work(partial(read_on, log)) for log in logs),
        ]
        try:
            eventually(
                lambda: (
                    len(erased) >= 60
                    and min(seen[log] for log in logs) >= 100
                    and min(done["trimmed"], done["merged"]) >= 300
                ),
                seconds=60,
            )
        finally:
            stop.set()
            for work in works:
                work.result()
    assert {outcome for outcome, _, _ in outcomes.of.values()} == {STORED}
    check_counters(partition)
