"""A leader is killed at the moment at which its topic is closed: the one that follows refuses as well."""

from collections.abc import Iterator

import pytest

from streams.log.engines import get_engines
from streams.log.kafka.engine import KafkaLog
from streams.lookup import info_of
from streams.models import MoveState, Partition, Stream
from streams.services.moving.asking import ask_for_move
from streams.services.moving.steps import carry_out
from tests.kafka.cluster import KafkaCluster
from tests.kafka.engines import leader_of
from tests.kafka.moving import PARTITIONS, check_all, some_more, used
from tests.run.instance import wait_for

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.database,
    pytest.mark.slow("waits for elections, in the middle of moves"),
]

# Of an election, and of what waits for it.
SANE_SECONDS = 40.0


@pytest.fixture
def cluster(three_nodes: KafkaCluster, kafka_main: None) -> Iterator[KafkaCluster]:
    yield three_nodes
    for node in three_nodes.nodes:
        if not three_nodes.is_running(node):
            three_nodes.start_again(node)


def engine() -> KafkaLog:
    log = get_engines().get("kafka-main").log
    assert isinstance(log, KafkaLog)
    return log


@pytest.mark.parametrize("moment", ["before the limit", "after the limit", "after the first refusal"])
def test_a_leader_that_is_killed_while_its_topic_is_closed(cluster, shop, monkeypatch, moment):
    assert shop.post("/streams", {"name": "orders", "partitions": PARTITIONS}).status_code == 201
    with used(shop) as users:
        some_more(users, 300)
        move_once("kafka-main")
        some_more(users, 300)
        kill_at(monkeypatch, cluster, moment)
        wait_for("it has moved", lambda: move_once("postgres"), seconds=120)
        some_more(users, 300)
    check_all(shop, users, sane_seconds=SANE_SECONDS)
    assert set(Partition.objects.values_list("is_sealed", flat=True)) == {False}


def move_once(target):
    """Move the stream, or go on with its move; return whether it has come about."""
    stream = Stream.objects.get()
    if stream.engine == target:
        return True
    under_way = stream.moves.filter(finished_at=None).first()
    moved = carry_out(
        under_way or ask_for_move(stream=stream, target=target, allow_weak=True), is_taken_over=under_way is not None
    )
    return moved.state == MoveState.MOVED and not moved.problem


def kill_at(monkeypatch, cluster, moment):
    log = engine()
    leader = leader_of(log, info_of(Stream.objects.get()).partitions[0])
    place = {
        "before the limit": (log.topics, "limit_messages"),
        "after the limit": (log._fence, "probe_until_refused"),
        "after the first refusal": (log._looker, "ends"),
    }[moment]
    call = getattr(*place)

    def kill_before(*arguments, **named):
        monkeypatch.setattr(*place, call)
        if not named.get("is_trial"):
            cluster.kill(leader)
        else:
            monkeypatch.setattr(*place, kill_before)
        return call(*arguments, **named)

    if moment == "after the first refusal":
        # Readers ask for the ends all the time: only once the first refusal is there.
        probe = log._fence.probe_until_refused

        def probe_then_arm(*arguments):
            probe(*arguments)
            monkeypatch.setattr(log._fence, "probe_until_refused", probe)
            monkeypatch.setattr(*place, kill_before)

        monkeypatch.setattr(log._fence, "probe_until_refused", probe_then_arm)
    else:
        monkeypatch.setattr(*place, kill_before)
