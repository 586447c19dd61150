"""What is told of a cluster that works and should not be as it is, and of one that cannot be used (ENGINE's table)."""

import pytest
from django.utils import timezone

from observability.dashboard.queries.system_health import forget_system_health
from streams.checks import ask_engines
from streams.log import close_log
from streams.log.engines import get_engines
from streams.log.kafka.asking_brokers import CLUSTER_RIGHTS, TOPIC_RIGHTS, find_missing_rights
from streams.log.kafka.places import place_of
from streams.log.kafka.topic_watch import _Lane, judge
from streams.lookup import load_stream
from streams.models import EngineSighting
from streams.services.engine_watch import look_after_engines
from tests.client import ApiClient
from tests.factories import make_key, make_owner
from tests.kafka.engines import leader_of, make_partitions
from tests.run.instance import wait_for

# --- pure ------------------------------------------------------------------------------------------------


def lane(name="t/0", replicas=3, in_sync=3, is_led=True, minimum=2):
    return _Lane(name, replicas, in_sync, is_led, minimum)


@pytest.mark.parametrize(
    ("lanes", "counts", "words", "names"),
    [
        ([lane()], (0, 0, 0), [], ""),
        ([lane(in_sync=2)], (1, 0, 0), ["1 partitions have fewer replicas in sync than they should have"], "t/0"),
        ([lane(in_sync=1)], (1, 1, 0), ["none is answered", "than they should have"], "t/0"),
        ([lane(in_sync=0, is_led=False)], (1, 0, 1), ["led by nobody", "than they should have"], "t/0"),
        ([lane(replicas=1, in_sync=1, minimum=1)], (0, 0, 0), [], ""),
        ([lane(f"t/{n}", in_sync=2) for n in range(9)], (9, 0, 0), ["9 partitions"], "t/0, t/1, t/2 and 6 more"),
    ],
)
def test_replicas_out_of_sync_are_counted_and_named_apart(lanes, counts, words, names):
    found = judge(lanes, missing=[], grown=[], unclean=[])
    assert (found.under_replicated, found.below_minimum, found.leaderless) == counts
    assert len(found.words) == len(words)
    assert all(part in told for part, told in zip(words, found.words, strict=True))
    assert found.names == (names,) * len(words)


def test_topics_that_are_gone_grown_or_may_lose_events_are_named():
    found = judge([], missing=["a"], grown=["b"], unclean=["c"])
    parts = ("not there", "unclean.leader.election.enable is on", "another number of partitions")
    assert all(part in told for part, told in zip(parts, found.words, strict=True))
    assert found.names == ("a", "c", "b")


def test_each_right_that_is_missing_is_named_with_what_comes_of_it():
    everything = set(TOPIC_RIGHTS)
    assert find_missing_rights(set(CLUSTER_RIGHTS), {"t": everything}) == []
    (told,) = find_missing_rights(set(), {"t": everything})
    assert told.startswith("its user has not the right CREATE on the cluster")
    for right in TOPIC_RIGHTS:
        (told,) = find_missing_rights(set(CLUSTER_RIGHTS), {"t": everything - {right}, "u": everything})
        assert told.startswith(f"its user has not the right {right} on t: ")
    (told,) = find_missing_rights(set(CLUSTER_RIGHTS), {f"t{n}": everything - {"DELETE"} for n in range(5)})
    assert "t0, t1, t2 and 2 more topics" in told


# --- a cluster -------------------------------------------------------------------------------------------


def check(**options):
    return {"ENGINE": "streams.log.kafka", "OPTIONS": options}


@pytest.mark.kafka
def test_before_it_starts_a_cluster_is_asked_what_should_be_otherwise(kafka_cluster, kafka_log, settings):
    make_partitions(kafka_log)
    prefix = kafka_log._options.topic_prefix
    count = len(kafka_cluster.nodes)
    own = {"bootstrap_servers": kafka_cluster.addresses, "topic_prefix": prefix}
    settings.EVENTFLOW_ENGINES = {"kafka-main": check(**own, replication_factor=count, min_in_sync_replicas=1)}
    assert ask_engines() == []
    impatient = check(
        **own, replication_factor=count + 1, min_in_sync_replicas=1, producer={"message.timeout.ms": 2_500}
    )
    settings.EVENTFLOW_ENGINES = {"kafka-main": impatient}
    replicas, timeout = ask_engines()
    assert (replicas.id, replicas.level) == ("streams.W002", 30)
    assert f"kafka-main: there are {count} brokers, and replication_factor is {count + 1}" in replicas.msg
    assert "broker.session.timeout.ms is 3000, and appends wait for 2500" in timeout.msg


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"bootstrap_servers": "127.0.0.1:9"}, "nobody takes a connection at its addresses"),
        ({"bootstrap_servers": "no-such-host.invalid:9092"}, "not known by their names"),
        ({"client": {"security.protocol": "SSL"}}, "TLS comes to no agreement"),
        (
            {
                "client": {
                    "security.protocol": "SASL_PLAINTEXT",
                    "sasl.mechanism": "PLAIN",
                    "sasl.username": "eventflow",
                    "sasl.password": "hush",
                }
            },
            "Kafka does not answer",
        ),
    ],
)
def test_a_cluster_that_cannot_be_used_is_told_with_the_reason_and_everything_else_goes_on(
    kafka_cluster, db_with_commits, settings, client, more, words
):
    close_log()
    settings.EVENTFLOW_ENGINES = {"kafka-main": check(**{"bootstrap_servers": kafka_cluster.addresses, **more})}
    try:
        (told,) = ask_engines()
        assert words in told.msg
        assert "hush" not in told.msg
        shop = ApiClient(key=make_key(make_owner()))
        assert shop.post("/streams", {"name": "here"}).status_code == 201
        assert shop.post("/streams/here/events", {"payload": 1}).status_code == 202
        assert shop.get("/streams/here/events", last_offset=0).status_code == 200
        refused = shop.post("/streams", {"name": "there", "engine": "kafka-main", "allow_weak": True})
        assert (refused.status_code, refused.json()["code"]) == (503, "engine_unavailable")
        (line,) = [each for each in client.get("/readyz").json()["degraded"] if "engine kafka-main" in each]
        assert words in line
        assert "127.0.0.1" not in line and "hush" not in line
    finally:
        close_log()


@pytest.mark.kafka
@pytest.mark.database
def test_a_topic_that_could_lose_events_is_degraded_by_name(shop, orders, client):
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

    log = get_engines().get("kafka-main").log
    assert look_after_engines(now=timezone.now()) == 0
    topic = place_of(load_stream("orders").partitions[0]).topic
    entry = ConfigEntry("unclean.leader.election.enable", "true", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
    log.topics._admin.incremental_alter_configs([resource])[resource].result()
    log._watch._settings.clear()
    wait_for("it is seen", lambda: look_after_engines(now=timezone.now()) == 1)
    forget_system_health()
    (line,) = [each for each in client.get("/readyz").json()["degraded"] if "unclean" in each]
    assert line.startswith("engine kafka-main: unclean.leader.election.enable is on") and topic not in line
    metrics = client.get("/metrics").content.decode()
    assert 'eventflow_engine_under_replicated_partitions{engine="kafka-main"} 0' in metrics


@pytest.mark.kafka
@pytest.mark.database
def test_a_topic_that_is_gone_is_degraded_by_name(shop, orders, client):
    log = get_engines().get("kafka-main").log
    topic = place_of(load_stream("orders").partitions[0]).topic
    log.topics.delete(topic)
    wait_for("it is gone", lambda: look_after_engines(now=timezone.now()) == 1)
    (line,) = [each for each in client.get("/readyz").json()["degraded"] if "topics are not there" in each]
    assert topic not in line


def is_missed():
    look_after_engines(now=timezone.now())
    return EngineSighting.objects.get(engine="kafka-main").under_replicated == 3


@pytest.mark.kafka
@pytest.mark.database
def test_replicas_that_are_gone_are_degraded_and_counted(three_nodes, shop, orders, client):
    assert look_after_engines(now=timezone.now()) == 0
    log = get_engines().get("kafka-main").log
    victim = leader_of(log, load_stream("orders").partitions[0])
    three_nodes.kill(victim)
    try:
        wait_for("it is missed", is_missed, seconds=60)
        (line,) = [each for each in client.get("/readyz").json()["degraded"] if "in sync" in each]
        assert "3 partitions have fewer replicas in sync than they should have" in line
        metrics = client.get("/metrics").content.decode()
        assert 'eventflow_engine_under_replicated_partitions{engine="kafka-main"} 3' in metrics
        assert 'eventflow_engine_below_minimum_partitions{engine="kafka-main"} 0' in metrics
    finally:
        three_nodes.start_again(victim)
    wait_for("all is well again", lambda: look_after_engines(now=timezone.now()) == 0, seconds=60)
