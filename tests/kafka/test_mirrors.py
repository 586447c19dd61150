"""A stream in PostgreSQL whose events come into a topic of Kafka's, as its clients want them."""

import json

import pytest
from confluent_kafka import Consumer, TopicPartition

from streams.services.mirroring.running import run_mirrors, stop_mirrors
from tests.kafka.mirrored import offsets_in, read_topic
from tests.run.instance import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.database]

TOPIC = "http-orders"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def shop(shop):
    yield shop
    stop_mirrors()


@pytest.fixture(autouse=True)
def _fresh_topic(kafka_cluster, kafka_main):
    """Topics outlive tests: each begins without those of the one before."""
    from confluent_kafka.admin import AdminClient

    yield
    stop_mirrors()
    admin = AdminClient({"bootstrap.servers": kafka_cluster.addresses})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith("http-")]
    for future in admin.delete_topics(names).values() if names else ():
        future.result(20)
    wait_for("they are gone", lambda: not set(names) & set(admin.list_topics(timeout=10).topics))


@pytest.fixture
def stream(shop):
    """A stream of three partitions in PostgreSQL."""
    made = shop.post("/streams", {"name": "orders", "partitions": 3})
    assert made.status_code == 201, made.content
    return made.json()


def append(shop, count, *, begin=0):
    sent = [{"type": "order.created", "key": f"k{n}", "payload": {"n": n}} for n in range(begin, begin + count)]
    stored = shop.post("/streams/orders/events", sent)
    assert stored.status_code == 202, stored.content
    return stored.json()["events"]


def mirror(shop, **body):
    made = shop.post("/streams/orders/mirrors", {"engine": "kafka-main", "allow_weak": True, **body})
    assert made.status_code == 201, made.content
    return made.json()


def look(shop, made):
    answer = shop.get(f"/streams/orders/mirrors/{made['id']}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def run_until_copied(shop, made):
    assert run_mirrors() == 1
    wait_for("all is copied", lambda: look(shop, made)["lag"] == 0)
    return look(shop, made)


def every_offset(shop):
    heads = shop.get("/streams/orders/consumer-groups").json()
    assert heads is not None
    return {
        n: [
            each["offset"] for each in shop.get("/streams/orders/events", last_offset=0, partition=n, limit=1000).json()
        ]
        for n in range(3)
    }


def test_a_plain_client_reads_the_events_as_cloudevents_each_once_and_in_order(shop, stream, kafka_cluster):
    stored = append(shop, 50)
    made = mirror(shop)
    assert (made["topic"], made["state"], made["lag"]) == (TOPIC, "waiting", 50)

    run_until_copied(shop, made)

    found = read_topic(kafka_cluster, TOPIC)
    assert {n: [each.event_offset for each in records] for n, records in found.items()} == every_offset(shop)
    by_place = {(each.partition, each.event_offset): each for records in found.values() for each in records}
    for n, told in enumerate(stored):
        record = by_place[told["partition"], told["offset"]]
        assert (record.key, json.loads(record.value)) == (f"k{n}".encode(), {"n": n})
        assert record.headers["ce_id"].decode() == told["id"]
        assert record.headers["ce_type"] == b"order.created"
        assert record.headers["ce_source"] == b"/api/v1/streams/orders"
        assert record.headers["ce_specversion"] == b"1.0"
        assert record.headers["content-type"] == b"application/json"


def test_what_comes_later_comes_within_a_second_or_so(shop, stream, kafka_cluster):
    made = mirror(shop)
    run_until_copied(shop, made)
    for begin in range(0, 30, 10):
        append(shop, 10, begin=begin)
        wait_for("it is copied", lambda begin=begin: look(shop, made)["copied"] == begin + 10, seconds=3)
    assert offsets_in(kafka_cluster, TOPIC) == every_offset(shop)
    standing = look(shop, made)
    assert (standing["state"], standing["lost"], standing["doubled"], standing["last_error"]) == ("running", 0, 0, None)


def test_time_trace_and_absent_keys_are_as_cloudevents_say(shop, stream, kafka_cluster):
    shop.post("/events", {"stream": "orders", "payload": 1, "occurred_at": "2026-11-22T10:00:00Z"}, Traceparent=TRACE)
    run_until_copied(shop, mirror(shop))
    [record] = [each for records in read_topic(kafka_cluster, TOPIC).values() for each in records]
    assert (record.key, record.value) == (None, b"1")
    assert record.headers["ce_time"] == b"2026-11-22T10:00:00Z"
    assert record.headers["ce_traceparent"] == TRACE.encode()


def test_from_now_on_leaves_out_what_was_there(shop, stream, kafka_cluster):
    append(shop, 20)
    before = every_offset(shop)
    made = mirror(shop, **{"from": "now"})
    assert made["lag"] == 0
    append(shop, 20, begin=20)
    run_until_copied(shop, made)
    assert offsets_in(kafka_cluster, TOPIC) == {n: all_[len(before[n]) :] for n, all_ in every_offset(shop).items()}


def test_kafkas_own_tools_see_how_far_it_is(shop, stream, kafka_cluster):
    append(shop, 40)
    run_until_copied(shop, mirror(shop))
    ends = {n: len(records) for n, records in read_topic(kafka_cluster, TOPIC).items()}
    consumer = Consumer({"bootstrap.servers": kafka_cluster.addresses, "group.id": "eventflow.mirror.orders"})

    def committed():
        asked = [TopicPartition(TOPIC, n) for n in ends]
        return {each.partition: each.offset for each in consumer.committed(asked, timeout=10)}

    wait_for("the position is told", lambda: committed() == ends)
    consumer.close()


def test_a_paused_one_copies_nothing_and_goes_on_where_it_was(shop, stream, kafka_cluster):
    append(shop, 10)
    made = mirror(shop)
    run_until_copied(shop, made)
    paused = shop.patch(f"/streams/orders/mirrors/{made['id']}", {"paused": True}).json()
    assert (paused["state"], paused["paused"]) == ("paused", True)
    wait_for("its worker has let go of it", lambda: run_mirrors() == 0 and not leased(made))
    append(shop, 10, begin=10)
    assert run_mirrors() == 0
    assert sum(map(len, offsets_in(kafka_cluster, TOPIC).values())) == 10
    shop.patch(f"/streams/orders/mirrors/{made['id']}", {"paused": False})
    run_until_copied(shop, made)
    assert offsets_in(kafka_cluster, TOPIC) == every_offset(shop)


def leased(made):
    from streams.models import Mirror

    return Mirror.objects.filter(pk=made["id"], lease_token__isnull=False).exists()


def test_a_deleted_one_leaves_its_topic_and_a_new_one_sends_nothing_again(shop, stream, kafka_cluster):
    append(shop, 30)
    made = mirror(shop)
    run_until_copied(shop, made)
    ended = shop.delete(f"/streams/orders/mirrors/{made['id']}")
    assert ended.status_code == 200
    assert "stays" in ended.json()["detail"]
    assert shop.get("/streams/orders/mirrors").json()["data"] == []
    assert shop.get(f"/streams/orders/mirrors/{made['id']}").status_code == 404
    append(shop, 10, begin=30)
    wait_for("its end is over", lambda: not leased(made))

    run_until_copied(shop, mirror(shop))

    assert offsets_in(kafka_cluster, TOPIC) == every_offset(shop)


def test_until_a_deleted_one_has_ended_nobody_else_copies_into_its_topic(shop, stream):
    made = mirror(shop)
    run_until_copied(shop, made)
    shop.delete(f"/streams/orders/mirrors/{made['id']}")
    again = shop.post("/streams/orders/mirrors", {"engine": "kafka-main", "allow_weak": True})
    assert (again.status_code, again.json()["code"]) == (409, "mirror_exists")


def test_a_stream_that_lies_in_kafka_is_refused_by_the_name_of_its_topic(shop, orders):
    refused = shop.post("/streams/orders/mirrors", {"engine": "kafka-main", "allow_weak": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "mirror_useless")
    assert "http-orders." in refused.json()["detail"]


def test_a_topic_with_other_partitions_is_refused_and_left_as_it_is(shop, stream, kafka_cluster):
    from confluent_kafka.admin import AdminClient, NewTopic

    admin = AdminClient({"bootstrap.servers": kafka_cluster.addresses})
    admin.create_topics([NewTopic(TOPIC, num_partitions=2, replication_factor=1)])[TOPIC].result(20)
    refused = shop.post("/streams/orders/mirrors", {"engine": "kafka-main", "allow_weak": True})
    assert (refused.status_code, refused.json()["code"]) == (409, "engine_refuses")
    assert "it has 2 partitions, and has to have 3" in refused.json()["detail"]


def test_an_engine_that_could_lose_events_wants_a_word_about_it(shop, stream, kafka_cluster):
    answer = shop.post("/streams/orders/mirrors", {"engine": "kafka-main"})
    if len(kafka_cluster.nodes) < 3:
        assert (answer.status_code, answer.json()["code"]) == (409, "engine_refuses")
        assert "allow_weak" in answer.json()["detail"]
    else:
        assert answer.status_code == 201


def test_more_partitions_make_it_fail_with_the_way_out_and_it_goes_on_by_itself(shop, stream, kafka_cluster):
    from confluent_kafka.admin import AdminClient, NewPartitions

    append(shop, 30)
    made = mirror(shop)
    run_until_copied(shop, made)
    grown = shop.patch("/streams/orders?confirm=orders", {"partitions": 5})
    assert grown.status_code == 200, grown.content
    append(shop, 60, begin=30)
    wait_for("it fails", lambda: look(shop, made)["state"] == "failing")
    failing = look(shop, made)
    assert "has 3 partitions, and the stream 5" in failing["last_error"]["reason"]
    assert "kafka-topics.sh --alter" in failing["last_error"]["reason"]
    assert failing["failures"] >= 1

    admin = AdminClient({"bootstrap.servers": kafka_cluster.addresses})
    admin.create_partitions([NewPartitions(TOPIC, 5)])[TOPIC].result(20)

    wait_for("it goes on", lambda: look(shop, made)["lag"] == 0 and look(shop, made)["state"] == "running", seconds=40)
    assert sum(map(len, offsets_in(kafka_cluster, TOPIC).values())) == 90


def test_what_retention_took_before_is_counted_and_said_and_the_rest_goes_on(shop, stream, kafka_cluster):
    from django.utils import timezone

    from streams.services.retention import delete_expired_events

    made = mirror(shop)
    append(shop, 200)
    before = every_offset(shop)
    limited = shop.patch("/streams/orders?confirm=orders", {"retention": {"max_events": 1}})
    assert limited.status_code == 200, limited.content
    append(shop, 30, begin=200)
    delete_expired_events(now=timezone.now())
    left = every_offset(shop)
    lost = sum(map(len, before.values())) + 30 - sum(map(len, left.values()))
    assert lost >= 200
    standing = run_until_copied(shop, made)
    assert (standing["lost"], standing["state"]) == (lost, "running")
    assert offsets_in(kafka_cluster, TOPIC) == left
