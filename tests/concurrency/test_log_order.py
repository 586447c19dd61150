"""Whoever reads, at whatever moment, sees offsets 1, 2, 3 … in commit order, and never anything new in between."""

import os
import threading
import time
from itertools import pairwise

import pytest
from django.db import connection

from streams.log import get_log
from streams.log.protocol import PartitionAppend
from tests.run.instance import wait_for
from tests.streams.log.appending import (
    STORED,
    UNKNOWN,
    Load,
    Outcomes,
    appending_here,
    appending_processes,
    check_continuous,
    check_log,
    event,
)
from tests.threads import Work

pytestmark = pytest.mark.processes

SECONDS = 2.0


def test_readers_never_see_a_hole_nor_something_new_within_what_they_have_read(make_partitions, make_log, postgres_log):
    partitions = make_partitions(3)
    cold_log = make_log(cache_bytes=0)
    seen: dict[tuple[int, int], list[bytes]] = {}
    stop = threading.Event()

    def follow(number, log, partition, step):
        position, events = 0, seen.setdefault((number, partition.id), [])
        while not stop.is_set():
            result = log.read(partition, after=position, max_events=step, max_bytes=1 << 20)
            check_continuous(result, after=position)
            events += result.events
            position = result.next_offset
            time.sleep(0.002)

    loads = [Load(partitions, threads=4, prefix=f"p{n}") for n in range(2)]
    with appending_processes(*loads) as processes:
        readers = [
            Work(lambda number=number, log=log, partition=partition, step=step: follow(number, log, partition, step))
            for number, (log, step) in enumerate([(postgres_log, 1_000), (cold_log, 7)])
            for partition in partitions
        ]
        with appending_here(postgres_log, Load(partitions, threads=4)) as outcomes:
            time.sleep(SECONDS)
        told = [outcomes, *(process.finish() for process in processes)]
    stop.set()
    for reader in readers:
        reader.result()

    counts = check_log(postgres_log, partitions, told)
    assert min(some.count(STORED) for some in told) > 10
    assert counts[UNKNOWN] == counts["unasked"] == 0
    for partition in partitions:
        final = cold_log.read(partition, after=0, max_events=10**6, max_bytes=10**9).events
        for number in range(2):
            events = seen[number, partition.id]
            assert events == list(final[: len(events)])
            # It read while there was something to be appended, and not in one go.
            assert len(events) > 50


def test_an_append_sent_after_another_was_answered_gets_a_higher_offset(make_partitions, make_log, postgres_log):
    [partition] = make_partitions()
    other = make_log()
    mine = Outcomes()
    offsets = [0]
    with appending_processes(Load([partition], threads=2, prefix="noise")) as [noise]:
        for number in range(100):
            log = postgres_log if number % 2 else other
            stored = log.append([PartitionAppend(partition, [event(f"mine-{number}")])]).ranges[0]
            assert stored.first_offset > offsets[-1]
            offsets.append(stored.first_offset)
            mine.of[f"mine-{number}"] = (STORED, partition.id, stored.first_offset)
        told = noise.finish()
    assert check_log(postgres_log, [partition], [told, mine]).keys() == {STORED}
    # Others came in between, so that the order was not a matter of course.
    assert sum(later - earlier > 1 for earlier, later in pairwise(offsets)) > 10


def test_an_answered_append_is_seen_by_the_next_read(make_partitions, postgres_log):
    partitions = make_partitions(2)
    with appending_here(postgres_log, Load(partitions, threads=4)) as outcomes:
        wait_for("the others", lambda: outcomes.count(STORED))
        for number in range(200):
            partition = partitions[number % 2]
            stored = postgres_log.append([PartitionAppend(partition, [event(f"mine-{number}")])]).ranges[0]
            result = get_log().read(partition, after=stored.first_offset - 1, max_events=1, max_bytes=1)
            assert b'"id":"mine-%d"' % number in result.events[0]
    counts = check_log(postgres_log, partitions, [outcomes])
    assert counts == {STORED: outcomes.count(STORED), "unasked": 200}


def test_appends_that_name_partitions_in_opposite_orders_do_not_wait_in_a_circle(make_partitions, postgres_log):
    partitions = make_partitions(4)
    loads = [Load(order, threads=4, prefix=f"p{n}") for n, order in enumerate([partitions, partitions[::-1]])]
    with appending_processes(*loads) as processes:
        before = [process.stored_count for process in processes]
        wait_for(
            "a thousand events of each, side by side",
            lambda: all(now.stored_count > earlier + 1_000 for now, earlier in zip(processes, before, strict=True)),
        )
        told = [process.finish() for process in processes]
    assert check_log(postgres_log, partitions, told).keys() == {STORED}


def test_a_forked_child_appends_through_a_flusher_of_its_own(partition, postgres_log):
    postgres_log.append([PartitionAppend(partition, [event("parent")])])
    child = os.fork()
    if child == 0:
        # Nothing of the parent's test run may go on here: leave without cleaning up.
        try:
            connection.connection = None
            get_log().append([PartitionAppend(partition, [event("child")])])
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    postgres_log.append([PartitionAppend(partition, [event("parent again")])])
    assert check_log(postgres_log, [partition], [Outcomes()])["unasked"] == 3
