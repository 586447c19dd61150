"""Brokers die, stop and hang under load: nothing that was answered is lost, twice, elsewhere or in another order."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import pytest

from streams.log.kafka.engine import KafkaLog
from streams.log.protocol import PartitionRef
from tests.kafka.cluster import KafkaCluster
from tests.kafka.engines import leader_of, make_partitions
from tests.kafka.watching import Followed, followed
from tests.run.instance import wait_for
from tests.streams.log.appending import STORED, UNKNOWN, Load, Outcomes, appending_here, check_log, read_all

pytestmark = pytest.mark.slow("waits for elections, and for what times out meanwhile")

THREADS = 8
# Longer than an append waits, so that some of them end in doubt.
HANGS_SECONDS = 12.0
WAIT_SECONDS = 60.0


@pytest.fixture
def cluster(three_nodes: KafkaCluster, make_kafka_log: Callable[..., KafkaLog]) -> Iterator[KafkaCluster]:
    """Three nodes, as many before and after: when the engines are closed they are all there again."""
    yield three_nodes
    for node in three_nodes.nodes:
        if three_nodes.is_running(node):
            three_nodes.resume(node)
        else:
            three_nodes.start_again(node)


@pytest.fixture
def log(cluster: KafkaCluster, make_kafka_log: Callable[..., KafkaLog]) -> KafkaLog:
    return make_kafka_log()


@pytest.fixture
def reading_log(cluster: KafkaCluster, make_kafka_log: Callable[..., KafkaLog]) -> KafkaLog:
    """As another process reads."""
    return make_kafka_log()


def some_more_are_stored(outcomes: Outcomes, count: int = 300) -> None:
    """Wait until so many more events are answered: the log goes on."""
    enough = outcomes.count(STORED) + count
    wait_for("appends go on", lambda: outcomes.count(STORED) >= enough, seconds=WAIT_SECONDS)


def check_that_all_is_as_it_was_told(
    log: KafkaLog, partition: PartitionRef, outcomes: Outcomes, seen: Followed
) -> None:
    counts = check_log(log, [partition], [outcomes])
    assert counts["unasked"] == 0
    ids = [one["id"] for one in read_all(log, partition)]
    assert seen.ids == ids
    assert_in_the_order_of_each_thread(ids)


def assert_in_the_order_of_each_thread(ids: Sequence[str]) -> None:
    """Each thread waited for its answer before it sent its next request."""
    requests: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for name in ids:
        prefix, thread, request, _, index = name.split("-")
        requests[f"{prefix}-{thread}"].append((int(request), int(index)))
    assert len(requests) == THREADS
    for thread, places in requests.items():
        assert places == sorted(places), f"{thread} is out of order"


@pytest.mark.parametrize("max_events", [1, 40, 500])
def test_a_leader_that_is_killed_costs_a_wait_and_nothing_else(cluster, log, reading_log, max_events):
    [partition] = make_partitions(log)
    load = Load([partition], threads=THREADS, max_events=max_events)
    with followed(reading_log, partition) as seen, appending_here(log, load) as outcomes:
        some_more_are_stored(outcomes)
        cluster.kill(leader_of(log, partition))
        some_more_are_stored(outcomes)
        some_more_are_stored(outcomes)
    check_that_all_is_as_it_was_told(log, partition, outcomes, seen)


def test_followers_that_hang_leave_appends_in_doubt_and_none_is_lost_or_twice(cluster, log, reading_log):
    [partition] = make_partitions(log)
    with followed(reading_log, partition) as seen, appending_here(log, Load([partition], threads=THREADS)) as outcomes:
        some_more_are_stored(outcomes)
        followers = set(cluster.nodes) - {leader_of(log, partition)}
        for node in followers:
            cluster.pause(node)
        threading.Event().wait(HANGS_SECONDS)
        for node in followers:
            cluster.resume(node)
        some_more_are_stored(outcomes)
    assert outcomes.count(UNKNOWN) >= 1
    check_that_all_is_as_it_was_told(log, partition, outcomes, seen)


def test_a_leader_that_hangs_and_comes_back_has_nothing_to_say(cluster, log, reading_log):
    [partition] = make_partitions(log)
    with followed(reading_log, partition) as seen, appending_here(log, Load([partition], threads=THREADS)) as outcomes:
        some_more_are_stored(outcomes)
        leader = leader_of(log, partition)
        cluster.pause(leader)
        threading.Event().wait(HANGS_SECONDS)
        # Another one leads, and what waited for the old one has been sent anew.
        some_more_are_stored(outcomes)
        cluster.resume(leader)
        some_more_are_stored(outcomes)
    check_that_all_is_as_it_was_told(log, partition, outcomes, seen)
