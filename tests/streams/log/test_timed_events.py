"""What every engine promises of events that are for later or expire: their partition says how far they reach."""

from datetime import timedelta
from hashlib import md5

import pytest
from django.utils import timezone

from streams.errors import HeadMoved
from streams.log.memory import MemoryLog
from streams.log.protocol import Capability, Deduplication, MergeLimits, PartitionAppend, Receipt
from streams.models import Partition
from tests.streams.log.appending import event

pytestmark = pytest.mark.needs(Capability.TIMED)


@pytest.fixture
def log(any_log):
    return any_log


@pytest.fixture
def partitions(any_partitions):
    return any_partitions(2)


def timed_through(log, partition):
    (bounds,) = log.bounds([partition]).values()
    read = log.read(partition, after=0, max_events=1, max_bytes=1)
    assert read.bounds == bounds
    return bounds.timed_through


def events(partition, *names, timed=(), **options):
    return PartitionAppend(partition, [event(name) for name in names], timed=timed, **options)


def test_without_such_events_nothing_is_said(log, partitions):
    log.append([events(partitions[0], "a", "b")])
    assert timed_through(log, partitions[0]) == 0


def test_it_is_the_offset_of_the_last_of_them(log, partitions):
    log.append([events(partitions[0], "a", "b", "c", "d", timed=[0, 2])])
    assert timed_through(log, partitions[0]) == 3
    log.append([events(partitions[0], "e")])
    assert timed_through(log, partitions[0]) == 3
    log.append([events(partitions[0], "f", "g", timed=[0])])
    assert timed_through(log, partitions[0]) == 6


def test_each_partition_has_its_own(log, partitions):
    log.append([events(partitions[0], "a", "b"), events(partitions[1], "c", "d", timed=[1])])
    assert [timed_through(log, each) for each in partitions] == [0, 2]


def test_it_holds_for_large_requests_as_for_small_ones(log, partitions):
    names = [f"{number:0>200}" for number in range(900)]
    log.append([events(partitions[0], *names, timed=[700])])
    assert timed_through(log, partitions[0]) == 701


def test_a_request_that_is_answered_from_its_receipt_leaves_it(log, partitions):
    receipt = Receipt("user:1", "k", b"h" * 32, lambda _: b"{}")
    for _ in range(2):
        log.append([events(partitions[0], "a", timed=[0])], receipt=receipt)
    assert timed_through(log, partitions[0]) == 1


def test_a_request_that_is_refused_leaves_it(log, partitions):
    with pytest.raises(HeadMoved):
        log.append([events(partitions[0], "a", timed=[0], expected_head=7)])
    assert timed_through(log, partitions[0]) == 0
    log.append([events(partitions[0], "b")])
    assert timed_through(log, partitions[0]) == 0


@pytest.mark.parametrize(("timed", "reached"), [([0], 1), ([1], 3), ([2], 1), ([3], 4), ([2, 3], 4), ([1, 2], 3)])
def test_of_repeated_events_it_says_nothing(log, partitions, timed, reached):
    def once(*names, timed=()):
        is_in_memory = isinstance(log, MemoryLog)
        stream_id = 1 if is_in_memory else Partition.objects.get(pk=partitions[0].id).stream_id
        digests = [md5(name.encode(), usedforsecurity=False).digest() for name in names]
        return events(partitions[0], *names, timed=timed, deduplication=Deduplication(stream_id, 86_400, digests))

    log.append([once("x", timed=[0])])
    log.append([once("a", "b", "x", "c", timed=timed)])
    # Offsets: x 1, a 2, b 3, c 4.
    assert timed_through(log, partitions[0]) == (reached if timed != [0] else 2)


def test_neither_merging_nor_erasing_nor_trimming_changes_it(log, partitions):
    partition = partitions[0]
    for number in range(150):
        log.append([events(partition, number, timed=[0] if number < 70 else ())])
    later = timezone.now() + timedelta(hours=1)
    while not log.merge(partition, MergeLimits(recorded_before=later)).is_done:
        pass
    assert timed_through(log, partition) == 70
    log.erase(partition, 70, at=later)
    assert timed_through(log, partition) == 70
    # In one batch they go, or not at all.
    assert log.trim(partition, keep_events=0) > 70
    assert timed_through(log, partition) == 70
