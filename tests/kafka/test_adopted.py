"""A topic that is there already, shown as a stream: others write it, and EventFlow leaves it as it is."""

import json
from base64 import b64encode

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from django.utils import timezone

from accounts.roles import Role, Scope
from observability.models import RollupCursor
from observability.numbers.rollups import roll_up
from observability.operations.transfer import export_events
from observability.operations.verify_log import verify_partition
from streams.log.engines import get_engines
from streams.lookup import load_stream
from streams.models import Epoch, Partition, PlaceToClear, Stream
from streams.services.foreign_ends import look_at_ends
from streams.services.places import clear_places
from streams.services.quarantine import list_quarantined
from streams.services.retention import delete_expired_events
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_user
from tests.kafka.engines import count_partitions
from tests.run.instance import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.database]

TOPIC = "shop.orders"


@pytest.fixture
def admin(kafka_main):
    return ApiClient(key=make_key(make_user(Role.ADMIN), *Scope))


@pytest.fixture
def others(kafka_cluster, kafka_main):
    """Somebody else's topic of two partitions, and who writes it."""
    admin = AdminClient({"bootstrap.servers": kafka_cluster.addresses})
    log = get_engines().get("kafka-main").log
    made = Topic(kafka_cluster.addresses, admin, log)
    yield made
    made.delete()


class Topic:
    def __init__(self, addresses, admin, log):
        self.addresses = addresses
        self.admin = admin
        self.log = log

    def make(self, partitions=1, name=TOPIC, **settings):
        config = {key.replace("_", "."): value for key, value in settings.items()}
        self.admin.create_topics([NewTopic(name, partitions, 1, config=config)])[name].result()
        wait_for("it is there", lambda: count_partitions(self.log, name) == partitions)

    def delete(self, name=TOPIC):
        if count_partitions(self.log, name):
            self.admin.delete_topics([name])[name].result()
            wait_for("it is gone", lambda: not count_partitions(self.log, name))

    def write(self, *values, key=None, partition=0, headers=None):
        producer = Producer({"bootstrap.servers": self.addresses, "log_level": 0})
        for value in values:
            producer.produce(TOPIC, value, key, partition, headers=headers or [])
        assert producer.flush(10) == 0

    def write_in_transaction(self, *values, commits=True):
        producer = Producer({"bootstrap.servers": self.addresses, "transactional.id": "somebody", "log_level": 0})
        producer.init_transactions(10)
        producer.begin_transaction()
        for value in values:
            producer.produce(TOPIC, value, partition=0)
        producer.flush(10)
        if commits:
            producer.commit_transaction(10)
        else:
            producer.abort_transaction(10)

    def settings(self):
        resource = ConfigResource(ConfigResource.Type.TOPIC, TOPIC)
        return {name: each.value for name, each in self.admin.describe_configs([resource])[resource].result().items()}


def adopt(admin, **more):
    body = {"name": "orders", "engine": "kafka-main", "topic": TOPIC, "manage": "external", "read_only": True, **more}
    return admin.post("/streams", {name: value for name, value in body.items() if value is not None})


def adopted(admin, **more):
    answer = adopt(admin, **more)
    assert answer.status_code == 201, answer.content
    return answer.json()


def read(api, last_offset=0, **parameters):
    answer = api.get("/streams/orders/events", last_offset=last_offset, **parameters)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content), answer


def code_of(answer):
    return answer.status_code, answer.json()["code"]


# --- what is shown ---------------------------------------------------------------------------------------


def test_what_others_wrote_is_events(admin, others):
    others.make()
    others.write(b'{"order": 42}', key=b"customer-7", headers=[("trace", b"abc")])
    others.write(b"\x00\x01", None)
    others.write(b"1", headers=[("ce_specversion", b"1.0"), ("ce_id", b"x"), ("ce_source", b"/s"), ("ce_type", b"t.u")])
    stream = adopted(admin)
    assert (stream["manage"], stream["topic"], stream["read_only"]) == ("external", TOPIC, True)
    assert not {"append", "retention", "lease"} & set(stream["capabilities"])
    events, answer = read(admin)
    assert [each["offset"] for each in events] == [1, 2, 3, 4]
    assert (events[0]["payload"], events[0]["key"], events[0]["type"]) == ({"order": 42}, "customer-7", "event")
    assert (events[0]["headers"], events[0]["id"]) == ({"trace": "abc"}, f"{TOPIC}-0-0")
    assert (events[1]["payload"], events[1]["headers"]) == (b64encode(b"\x00\x01").decode(), {"ce-data": "base64"})
    assert (events[2]["payload"], events[2]["headers"]) == (None, {"ce-data": "absent"})
    assert (events[3]["id"], events[3]["type"], events[3]["headers"]) == ("x", "t.u", {"ce-source": "/s"})
    assert answer["EventFlow-Head-Offset"] == "4"
    others.write(b'"later"')
    assert [each["payload"] for each in read(admin, 4)[0]] == ["later"]
    assert admin.get("/streams/orders/events/0/1").json()["payload"] == {"order": 42}


def test_offsets_are_kafkas_plus_one_whatever_was_deleted_before(admin, others):
    others.make()
    others.write(*[str(n).encode() for n in range(10)])
    from confluent_kafka import TopicPartition

    next(iter(others.admin.delete_records([TopicPartition(TOPIC, 0, 4)]).values())).result()
    adopted(admin)
    row = Partition.objects.get()
    assert (row.earliest_offset, row.head_offset) == (5, 10)
    events, answer = read(admin)
    assert [(each["offset"], each["payload"]) for each in events] == [(n + 1, n) for n in range(4, 10)]
    assert answer["EventFlow-Gap"] == "1-4"


def test_holes_of_transactions_are_passed_by(admin, others):
    others.make()
    others.write(b"1")
    others.write_in_transaction(b"2", b"3")
    others.write_in_transaction(b"98", b"99", commits=False)
    others.write(b"4")
    others.write_in_transaction(b"5")
    adopted(admin)
    seen, position, rounds = [], 0, 0
    while rounds < 20:
        events, answer = read(admin, position, limit=2)
        assert "EventFlow-Gap" not in answer.headers
        seen += [each["payload"] for each in events]
        position = int(answer["EventFlow-Next-Offset"])
        rounds += 1
        if position == int(answer["EventFlow-Head-Offset"]):
            break
    assert seen == [1, 2, 3, 4, 5]
    # The newest is a mark: nothing comes, and nobody waits in vain for it.
    for _ in range(2):
        assert read(admin, position)[0] == []
        assert read(admin, position - 1)[0] == []
    missing = admin.get("/streams/orders/events/0/4")
    assert code_of(missing) == (404, "event_not_found")
    (partition,) = load_stream("orders").partitions
    assert list(verify_partition(partition, advance=lambda count: None)) == []
    lines = [json.loads(line) for portion in export_events(load_stream("orders")) for line in portion]
    assert [each["payload"] for each in lines] == [1, 2, 3, 4, 5]


def test_what_others_write_while_the_end_is_asked_for_is_read_next(admin, others, monkeypatch):
    others.make()
    others.write(b"1", b"2")
    adopted(admin)
    looker = others.log._sparse_reader._looker
    ask = looker.ends

    def ask_and_be_overtaken(places):
        ends = ask(places)
        monkeypatch.undo()
        others.write(b"3", b"4")
        return ends

    monkeypatch.setattr(looker, "ends", ask_and_be_overtaken)
    assert [each["payload"] for each in read(admin)[0]] == [1, 2]
    assert [each["payload"] for each in read(admin, 2)[0]] == [3, 4]


def test_an_open_transaction_hides_events_and_is_no_loss(admin, others):
    others.make()
    adopted(admin, read_only=False, allow_weak=True)
    producer = Producer({"bootstrap.servers": others.addresses, "transactional.id": "slow", "log_level": 0})
    producer.init_transactions(10)
    producer.begin_transaction()
    producer.produce(TOPIC, b"1", partition=0)
    producer.flush(10)
    stored = admin.post("/streams/orders/events", {"payload": 2})
    assert (stored.status_code, stored.json()["offset"]) == (202, 2)
    from streams.log import SIGHTINGS

    SIGHTINGS.write()
    look_at_ends()
    assert list_quarantined() == []
    assert read(admin)[0] == []
    producer.commit_transaction(10)
    # It is committed before the partitions' leaders have heard of it.
    wait_for("they are shown", lambda: [each["payload"] for each in read(admin)[0]] == [1, 2])


def test_a_topic_that_is_compacted_is_read_in_offset_mode(admin, others):
    others.make(cleanup_policy="compact")
    others.write(b"1", key=b"a")
    adopted(admin)
    made = admin.post("/streams/orders/consumer-groups", {"name": "g", "mode": "offset", "start": "earliest"})
    assert made.status_code == 201, made.content
    refused = admin.post("/streams/orders/consumer-groups", {"name": "l", "mode": "lease"})
    assert code_of(refused) == (422, "not_offered")
    assert "lease mode on a topic that was adopted" in refused.json()["detail"]
    events = admin.get("/streams/orders/events", consumer_group_id="g")
    assert [each["payload"] for each in events.json()] == [1]
    committed = admin.post("/streams/orders/consumer-groups/g/offsets", {"offset": 1})
    assert committed.status_code == 200, committed.content


# --- appending -------------------------------------------------------------------------------------------


def test_a_stream_that_is_read_only_refuses_events_by_name(admin, others):
    others.make()
    adopted(admin)
    for headers in ({}, {"Idempotency_Key": "k"}):
        refused = admin.post("/streams/orders/events", {"payload": 1}, **headers)
        assert code_of(refused) == (409, "stream_read_only")
        assert TOPIC in refused.json()["detail"]
    assert read(admin)[0] == []


def test_one_that_is_not_takes_events_beside_others(admin, others):
    others.make(partitions=2)
    others.write(b'"theirs"', partition=1)
    adopted(admin, read_only=False, allow_weak=True)
    sent = [{"key": key, "type": "t", "payload": key} for key in "abcdef"]
    stored = admin.post("/streams/orders/events", sent, Idempotency_Key="k")
    assert stored.status_code == 202, stored.content
    told = {
        (each["partition"], each["offset"]): event["payload"]
        for each, event in zip(stored.json()["events"], sent, strict=True)
    }
    found = {
        (each["partition"], each["offset"]): each["payload"]
        for number in (0, 1)
        for each in read(admin, partition=number)[0]
    }
    assert found == {**told, (1, 1): "theirs"}


def test_where_one_broker_could_lose_what_is_appended_that_wants_a_word(admin, others):
    others.make(min_insync_replicas="1")
    refused = adopt(admin, read_only=None)
    assert code_of(refused) == (409, "engine_refuses")
    assert "min.insync.replicas of 1" in refused.json()["detail"]
    assert "allow_weak" in refused.json()["detail"]


# --- what is left as it is -------------------------------------------------------------------------------


def test_it_is_never_altered_trimmed_or_deleted(admin, others):
    others.make(retention_ms="123456789")
    others.write(b"1", b"2")
    before = others.settings()
    refused = adopt(admin, retention={"max_events": 1})
    assert code_of(refused) == (422, "not_offered")
    adopted(admin)
    assert Stream.objects.get().retention_max_age_seconds is None
    for change in ({"max_events": 1}, {"max_age": 1}, {"max_bytes": 1}):
        assert code_of(admin.patch("/streams/orders?confirm=orders", {"retention": change})) == (422, "not_offered")
    assert admin.patch("/streams/orders", {"description": "theirs"}).status_code == 200
    assert delete_expired_events(now=timezone.now()) == 0
    assert admin.delete("/streams/orders?confirm=orders").status_code == 204
    assert not PlaceToClear.objects.exists()
    assert clear_places(now=timezone.now()) == 0
    assert count_partitions(others.log, TOPIC) == 1
    assert others.settings() == before
    adopted(admin)
    assert [each["payload"] for each in read(admin)[0]] == [1, 2]


# --- who may, and what ---------------------------------------------------------------------------------


def test_only_an_admin_adopts_as_it_opens_what_others_wrote(admin, others):
    others.make()
    for client in (ApiClient(key=make_key(make_owner())), ApiClient(key=make_key(make_user(Role.ADMIN)))):
        assert code_of(adopt(client)) == (403, "scope_missing")
    assert not Stream.objects.exists()


def test_a_topic_of_a_stream_is_adopted_by_none(admin, others):
    others.make()
    adopted(admin)
    again = adopt(admin, name="again")
    assert code_of(again) == (409, "engine_refuses")
    made = admin.post("/streams", {"name": "own", "engine": "kafka-main", "allow_weak": True})
    assert made.status_code == 201
    own = Epoch.objects.get(partition__stream__name="own").topic
    assert code_of(adopt(admin, name="spy", topic=own)) == (409, "engine_refuses")


def test_what_is_not_there_or_no_topic_of_others_is_refused(admin, others):
    assert code_of(adopt(admin, topic="nowhere")) == (409, "engine_refuses")
    for topic in ("__consumer_offsets", "..", "a/b", "", "x" * 250, 5):
        answer = adopt(admin, topic=topic)
        assert code_of(answer) == (422, "invalid_request"), topic
        assert answer.json()["errors"][0]["pointer"] == "/topic"
    others.make(partitions=2)
    refused = adopt(admin, partitions=3)
    assert code_of(refused) == (409, "engine_refuses")
    assert "has 2 partitions, and 3 were asked for" in refused.json()["detail"]
    for body in ({"topic": None}, {"engine": None}, {"manage": "eventflow"}, {"manage": None}):
        assert code_of(adopt(admin, **body)) == (422, "invalid_request"), body
    assert code_of(adopt(admin, engine="postgres")) == (422, "not_offered")


# --- numbers ---------------------------------------------------------------------------------------------


def test_numbers_begin_with_what_comes_after_it_was_adopted(admin, others):
    others.make()
    others.write(b"1", b"2", b"3")
    adopted(admin)
    assert RollupCursor.objects.get().rolled_up_offset == 3
    assert roll_up(seconds=0) == 0
    others.write(b"4", b"5")
    look_at_ends()
    assert roll_up(seconds=0) == 2
    stats = admin.get("/streams/orders/stats").json()
    assert (stats["event_count"], stats["head_offset"], stats["earliest_offset"]) == (5, 5, 1)
    assert sum(each["events"] for each in stats["series"]) == 2
