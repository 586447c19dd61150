"""A later try finds what only the leader has, or sends nothing: what cannot be read yet is no proof that it is not there."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from streams.errors import AppendOutcomeUnknown, TopicUnavailable
from streams.log.kafka.engine import KafkaLog
from streams.log.protocol import PartitionAppend
from tests.kafka.cluster import KafkaCluster
from tests.kafka.engines import leader_of, make_partitions
from tests.run.instance import wait_for
from tests.streams.log.appending import STORED, Load, appending_here, event, read_all
from tests.threads import Work, outcomes_of

TAG = b"one request's tag"[:16]


def ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


@pytest.fixture
def quick_log(three_nodes: KafkaCluster, make_kafka_log: Callable[..., KafkaLog]) -> KafkaLog:
    """An engine whose appends are in doubt after three seconds."""
    return make_kafka_log(producer={"message.timeout.ms": 3_000})


@pytest.fixture
def hang(three_nodes: KafkaCluster, quick_log: KafkaLog) -> Iterator[Callable[..., Callable[[], None]]]:
    """Lets the followers of a partition hang, until what it returns is called."""

    def followers_hang(partition):
        leader = leader_of(quick_log, partition)
        for node in set(three_nodes.nodes) - {leader}:
            three_nodes.pause(node)

    yield followers_hang
    for node in three_nodes.nodes:
        three_nodes.resume(node)


@pytest.mark.slow("an append has to time out")
def test_what_only_the_leader_has_is_found_when_it_can_be_read(three_nodes, quick_log, hang):
    [partition] = make_partitions(quick_log)
    quick_log.append([PartitionAppend(partition, [event("before")])])
    request = [PartitionAppend(partition, [event("a"), event("b")])]
    hang(partition)
    with pytest.raises(AppendOutcomeUnknown):
        quick_log.append_tagged(request, tag=TAG)

    # Nobody can read it, so nobody can say that it is not there.
    with pytest.raises(TopicUnavailable, match="not come to the other replicas"):
        quick_log.append_tagged(request, tag=TAG, since={partition.id: 1}, send_until=time.monotonic() + 1)
    later = Work(
        lambda: quick_log.append_tagged(request, tag=TAG, since={partition.id: 1}, send_until=time.monotonic() + 20)
    )
    threading.Event().wait(0.5)
    for node in three_nodes.nodes:
        three_nodes.resume(node)
    [stored] = outcomes_of([later])

    assert [(each.first_offset, each.last_offset) for each in stored.ranges] == [(2, 3)]
    assert ids(quick_log, partition) == ["before", "a", "b"]


def test_a_later_try_goes_on_while_others_append(kafka_log):
    partitions = make_partitions(kafka_log, 3)
    request = [PartitionAppend(each, [event(f"a{each.number}")]) for each in partitions]
    kafka_log.append_tagged(request[:1], tag=TAG, places=[0])
    with appending_here(kafka_log, Load(partitions, threads=8, max_events=50)) as outcomes:
        wait_for("some are stored", lambda: outcomes.count(STORED) > 500)
        stored = kafka_log.append_tagged(
            request, tag=TAG, since=dict.fromkeys((each.id for each in partitions), 0), send_until=time.monotonic() + 20
        )
    assert stored.ranges[0].first_offset == 1
    for partition in partitions:
        assert ids(kafka_log, partition).count(f"a{partition.number}") == 1


def test_who_has_not_found_out_in_time_sends_nothing(kafka_log):
    [partition] = make_partitions(kafka_log)
    with pytest.raises(TopicUnavailable):
        kafka_log.append_tagged(
            [PartitionAppend(partition, [event("a")])], tag=TAG, since={partition.id: 0}, send_until=time.monotonic()
        )
    assert ids(kafka_log, partition) == []


def test_who_has_read_for_too_long_sends_nothing(kafka_log, monkeypatch):
    [partition] = make_partitions(kafka_log)
    reader = kafka_log._finder._reader
    find, until = reader.find, time.monotonic() + 3

    def find_slowly(*args, **more):
        found = find(*args, **more)
        threading.Event().wait(until - time.monotonic() + 0.05)
        return found

    monkeypatch.setattr(reader, "find", find_slowly)
    with pytest.raises(TopicUnavailable, match="took too long"):
        kafka_log.append_tagged(
            [PartitionAppend(partition, [event("a")])], tag=TAG, since={partition.id: 0}, send_until=until
        )
    assert ids(kafka_log, partition) == []
