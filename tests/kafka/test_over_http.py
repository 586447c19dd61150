"""A stream in Kafka, over HTTP: what works as anywhere, what is refused by name, and what becomes of it at its end."""

import pytest
from django.utils import timezone

from streams.log import SIGHTINGS
from streams.log.engines import get_engines
from streams.models import Epoch, PlaceToClear, UnfinishedAppend
from streams.services.limits_by_bytes import tell_limits_by_bytes
from streams.services.places import clear_places
from streams.services.retention import delete_expired_events
from tests.kafka.engines import count_partitions
from tests.run.instance import wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.database]


def read(shop, partition, last_offset=0):
    answer = shop.get("/streams/orders/events", last_offset=last_offset, partition=partition)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_it_says_where_it_lies(shop, orders):
    assert orders["engine"] == "kafka-main"
    assert set(Epoch.objects.values_list("engine", flat=True)) == {"kafka-main"}
    assert all(Epoch.objects.values_list("topic_id", flat=True))


def test_events_are_where_the_answer_says(shop, orders):
    sent = [{"type": "t", "key": key, "payload": {"n": n}} for n, key in enumerate("abcdefgh")]
    stored = shop.post("/streams/orders/events", sent)
    assert stored.status_code == 202, stored.content
    told = [(each["partition"], each["offset"]) for each in stored.json()["events"]]
    came = {
        (each["partition"], each["offset"]): each["payload"]["n"] for number in range(3) for each in read(shop, number)
    }
    assert [came[place] for place in told] == list(range(8))


def test_a_retry_with_the_same_key_is_answered_and_nothing_is_stored_again(shop, orders):
    body = [{"type": "t", "key": "k", "payload": n} for n in range(3)]
    first, again = (shop.post("/streams/orders/events", body, Idempotency_Key="once") for _ in range(2))
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (202, 202, "true")
    assert first.json() == again.json()
    assert sum(len(read(shop, number)) for number in range(3)) == 3
    assert not UnfinishedAppend.objects.exists()


def test_groups_lease_ack_commit_and_seek_there(shop, orders):
    shop.post("/streams/orders/events", [{"type": "t", "key": str(n), "payload": n} for n in range(10)])
    for mode in ("offset", "lease"):
        made = shop.post("/streams/orders/consumer-groups", {"name": mode, "mode": mode, "start": "earliest"})
        assert made.status_code == 201, made.content
    payloads = []
    while len(payloads) < 10:
        leased = shop.post("/streams/orders/consumer-groups/lease/lease", {"max_events": 4}).json()
        assert leased["deliveries"]
        payloads += [event["payload"] for each in leased["deliveries"] for event in each["events"]]
        names = [{key: each[key] for key in ("delivery_id", "lease_token")} for each in leased["deliveries"]]
        acked = shop.post("/streams/orders/consumer-groups/lease/ack", {"deliveries": names})
        assert acked.status_code == 200, acked.content
    assert sorted(payloads) == list(range(10))
    heads = [{"partition": number, "offset": len(read(shop, number))} for number in range(3)]
    committed = shop.post("/streams/orders/consumer-groups/offset/offsets", {"offsets": heads})
    assert committed.status_code == 200, committed.content
    offsets = shop.get("/streams/orders/consumer-groups/offset/offsets").json()
    assert {each["lag"] for each in offsets["data"]} == {0}
    sought = shop.post("/streams/orders/consumer-groups/offset/seek", {"to": "earliest", "partition": 0})
    assert sought.status_code == 200, sought.content


def test_what_kafka_does_not_offer_is_refused_by_the_engines_name(shop, orders):
    refused = shop.post("/streams/orders/events", {"type": "t", "payload": 1, "deliver_after": 60})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_offered")
    assert "kafka-main" in refused.json()["detail"]


def test_an_engine_that_could_lose_events_wants_a_word_about_it(shop, orders, kafka_cluster):
    refused = shop.post("/streams", {"name": "more", "engine": "kafka-main"})
    if len(kafka_cluster.nodes) < 3:
        assert (refused.status_code, refused.json()["code"]) == (409, "engine_refuses")
        assert "allow_weak" in refused.json()["detail"]
    else:
        assert refused.status_code == 201


def test_a_topic_that_somebody_deleted_is_unavailable_and_not_gone(shop, orders):
    shop.post("/streams/orders/events", {"type": "t", "payload": 1})
    get_engines().get("kafka-main").log.topics.delete(Epoch.objects.values_list("topic", flat=True)[0])
    answer = shop.get("/streams/orders/events", last_offset=0, partition=0)
    assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert "kafka-main" in answer.json()["detail"]
    assert answer["Retry-After"] == "1"


def test_retention_takes_exactly_what_may_go_and_says_so_at_once(shop, orders):
    shop.post("/streams/orders/events", [{"type": "t", "key": "k", "payload": n} for n in range(10)])
    assert shop.post("/streams/orders/consumer-groups", {"name": "billing", "mode": "offset"}).status_code == 201
    SIGHTINGS.write()
    [number] = [number for number in range(3) if read(shop, number)]
    limit = {"retention": {"max_events": 9}}
    refused = shop.patch("/streams/orders", limit)
    assert (refused.status_code, refused.json()["code"]) == (422, "confirmation_missing")
    assert "This deletes 7 events at once, for good" in refused.json()["detail"]
    assert shop.patch("/streams/orders?confirm=orders", limit).status_code == 200

    assert delete_expired_events(now=timezone.now()) == 7
    assert delete_expired_events(now=timezone.now()) == 0

    answer = shop.get("/streams/orders/events", last_offset=0, partition=number)
    assert [each["payload"] for each in answer.json()] == [7, 8, 9]
    assert answer["EventFlow-Gap"]
    [group] = shop.get("/streams/orders/stats").json()["consumer_groups"]
    assert (group["lag"], group["lost"]) == (3, 7)


def test_its_topic_goes_with_it(shop, orders):
    log = get_engines().get("kafka-main").log
    topic = Epoch.objects.values_list("topic", flat=True)[0]
    assert count_partitions(log, topic) == 3
    assert shop.delete("/streams/orders?confirm=orders").status_code == 204
    clear_places(now=PlaceToClear.objects.get().due_at if PlaceToClear.objects.exists() else timezone.now())
    wait_for("every broker has heard of it", lambda: count_partitions(log, topic) == 0)
    assert shop.get("/streams/orders/events", last_offset=0, partition=0).status_code == 404


def test_a_limit_by_bytes_that_is_changed_or_taken_away_reaches_its_topic(shop, orders):
    topic = Epoch.objects.values_list("topic", flat=True)[0]
    topics = get_engines().get("kafka-main").log.topics

    def kept_by_kafka():
        return topics.settings_of([topic])[topic]["retention.bytes"]

    for max_bytes, share in ((48 * 1024 * 1024, str(16 * 1024 * 1024)), (None, "-1")):
        answer = shop.patch("/streams/orders", {"retention": {"max_bytes": max_bytes}})
        assert answer.status_code == 200, answer.content
        assert [tell_limits_by_bytes() for _ in range(2)] == [1, 0]
        wait_for("the broker has heard of it", lambda share=share: kept_by_kafka() == share)
