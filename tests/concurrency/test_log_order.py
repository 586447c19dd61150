"""Whoever reads, at whatever moment, sees offsets 1, 2, 3 … in commit order, and never anything new in between."""

import os
import threading
import time

from django.db import connection

from streams.log import get_log
from streams.log.protocol import PartitionAppend
from tests.streams.log.appending import (
    STORED,
    UNKNOWN,
    AppendingProcess,
    Load,
    Outcomes,
    appending_here,
    check_continuous,
    check_log,
    event,
)

SECONDS = 2.0


def test_readers_never_see_a_hole_nor_something_new_within_what_they_have_read(make_partitions, make_log, postgres_log):
    partitions = make_partitions(3)
    cold_log = make_log(cache_bytes=0)
    seen: dict[tuple[int, int], list[bytes]] = {}
    stop = threading.Event()
    failures: list[BaseException] = []

    def follow(number, log, partition, step):
        position, events = 0, []
        try:
            while not stop.is_set():
                result = log.read(partition, after=position, max_events=step, max_bytes=1 << 20)
                check_continuous(result, after=position)
                events += result.events
                position = result.next_offset
                time.sleep(0.002)
        except BaseException as failure:
            failures.append(failure)
        finally:
            seen[number, partition.id] = events
            connection.close()

    readers = [
        threading.Thread(target=follow, args=(number, log, partition, step))
        for number, (log, step) in enumerate([(postgres_log, 1_000), (cold_log, 7)])
        for partition in partitions
    ]
    processes = [AppendingProcess(Load(partitions, threads=4, prefix=f"p{n}")) for n in range(2)]
    for process in processes:
        assert process.has_begun.wait(30)
    for reader in readers:
        reader.start()
    with appending_here(postgres_log, Load(partitions, threads=4)) as outcomes:
        time.sleep(SECONDS)
    told = [outcomes, *(process.finish() for process in processes)]
    stop.set()
    for reader in readers:
        reader.join()

    assert not failures, failures
    counts = check_log(postgres_log, partitions, told)
    assert counts[STORED] > 10
    assert counts[UNKNOWN] == counts["unasked"] == 0
    for partition in partitions:
        final = cold_log.read(partition, after=0, max_events=10**6, max_bytes=10**9).events
        for number in range(2):
            events = seen[number, partition.id]
            assert events == list(final[: len(events)])
        assert seen[0, partition.id]


def test_an_append_sent_after_another_was_answered_gets_a_higher_offset(make_partitions, make_log, postgres_log):
    [partition] = make_partitions()
    other = make_log()
    noise = AppendingProcess(Load([partition], threads=2, prefix="noise"))
    assert noise.has_begun.wait(30)
    last = 0
    for number in range(100):
        log = postgres_log if number % 2 else other
        stored = log.append([PartitionAppend(partition, [event(f"mine-{number}")])]).ranges[0]
        assert stored.first_offset > last
        last = stored.last_offset
    noise.finish()


def test_an_answered_append_is_seen_by_the_next_read(make_partitions, postgres_log):
    partitions = make_partitions(2)
    with appending_here(postgres_log, Load(partitions, threads=4)):
        for number in range(200):
            partition = partitions[number % 2]
            stored = postgres_log.append([PartitionAppend(partition, [event(f"mine-{number}")])]).ranges[0]
            result = get_log().read(partition, after=stored.first_offset - 1, max_events=1, max_bytes=1)
            assert b'"id":"mine-%d"' % number in result.events[0]


def test_appends_that_name_partitions_in_opposite_orders_do_not_wait_in_a_circle(make_partitions, postgres_log):
    partitions = make_partitions(4)
    processes = [
        AppendingProcess(Load(order, threads=4, prefix=f"p{n}", max_requests=150))
        for n, order in enumerate([partitions, partitions[::-1]])
    ]
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
