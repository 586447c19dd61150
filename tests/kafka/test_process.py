"""What the engine costs a process that does little, and what it leaves to one that forks."""

import asyncio
import subprocess
import sys
import textwrap
import time

import pytest

from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionAppend
from tests.kafka.engines import make_partitions
from tests.streams.log.appending import event, read_all
from tests.threads import in_threads

MIB = 1024 * 1024


def append(log, partition, *names, size=0):
    return log.append([PartitionAppend(partition, [event(name, size=size) for name in names])]).ranges[0]


@pytest.mark.processes
def test_nothing_of_kafka_is_imported_until_it_is_used():
    program = "import sys, streams.log, streams.log.kafka, streams.log.kafka.configuration; print('confluent_kafka' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


@pytest.mark.kafka
def test_an_engine_that_nobody_uses_opens_nothing(make_kafka_log):
    log = make_kafka_log(bootstrap_servers="127.0.0.1:9")
    log.close()
    assert not log.topics.was_asked


@pytest.mark.kafka
def test_neither_an_append_nor_a_read_asks_the_controllers(kafka_log, make_kafka_log):
    first, second = make_partitions(kafka_log, 2)
    log = make_kafka_log()
    for number in range(5):
        append(log, first, f"a{number}")
        asyncio.run(log.append_async([PartitionAppend(second, [event(f"b{number}")])]))
        log.append_tagged([PartitionAppend(first, [event(f"c{number}")])], tag=b"%016d" % number)
    log.append_tagged([PartitionAppend(first, [event("c0")])], tag=b"%016d" % 0, since={first.id: 0})
    assert len(read_all(log, first)) == 10
    log.bounds([first, second])
    log.offset_at(first, log.bounds([first])[first.id].last_recorded_at)
    log.recorded_after([(first, 0), (second, 3)])
    assert not log.topics.was_asked
    # It would be known otherwise.
    log.trim(first, keep_events=1)
    assert log.topics.was_asked


@pytest.mark.kafka
def test_readers_with_full_queues_rest_while_nobody_reads(make_kafka_log):
    """Eight of them together take less than a tenth of a processor."""
    log = make_kafka_log(readers=8, cache_bytes=0)
    partitions = make_partitions(log, 8)
    for partition in partitions:
        for number in range(6):
            append(log, partition, f"{number}", size=900_000)
    reads = [lambda each=each: log.read(each, after=0, max_events=2, max_bytes=10 * MIB) for each in partitions]
    assert [len(read.events) for read in in_threads(reads)] == [2] * 8
    log._producer.close()
    time.sleep(1.0)
    # The quietest of some seconds: what spins does so in each, and what others left to do in this process does not.
    share = min(_share_of_a_second() for _ in range(5))
    assert share < 0.1, f"they take {share:.0%} of a processor"


def _share_of_a_second() -> float:
    """How much of a processor this process takes."""
    began, spent = time.monotonic(), time.process_time()
    time.sleep(1.0)
    return (time.process_time() - spent) / (time.monotonic() - began)


PROGRAM = """
    import os, sys, time
    from streams.log.kafka.configuration import KafkaOptions
    from streams.log.kafka.engine import KafkaLog
    from streams.log.protocol import Epoch, PartitionAppend, PartitionRef

    servers, topic = sys.argv[1:]
    partition = PartitionRef(1, "s", 0, (Epoch(1, "kafka", topic, base=1),))
    log = KafkaLog("kafka", KafkaOptions(servers))

    def use(name):
        at = log.append([PartitionAppend(partition, [b'{"id":"%b"}' % name])]).ranges[0].last_offset
        read = log.read(partition, after=at - 1, max_events=1, max_bytes=1)
        assert b'"id":"%b"' % name in read.events[0], read
        assert log.topics.count_brokers()

    use(b"before")
    child = os.fork()
    use(b"child" if child == 0 else b"parent")
    if child:
        _, status = os.waitpid(child, 0)
        assert status == 0, status
        use(b"after")
    log.close()
    print("child" if child == 0 else "parent", "has ended", flush=True)
"""


@pytest.mark.kafka
@pytest.mark.slow("starts a program that forks")
def test_parent_and_child_of_a_fork_both_go_on_and_both_end(kafka_cluster, kafka_log):
    """Handles do not survive a fork: the child opens its own, and ends as any other program, destructors and all."""
    [partition] = make_partitions(kafka_log)
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), kafka_cluster.addresses, place_of(partition).topic]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.splitlines()) == (0, ["child has ended", "parent has ended"]), ran.stderr
    assert sorted(one["id"] for one in read_all(kafka_log, partition)) == ["after", "before", "child", "parent"]
