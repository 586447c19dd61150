"""Topics that are not what they were: deleted and made anew, cut short, or gone."""

import json

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import NewTopic
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from streams.errors import AppendOutcomeUnknown, TopicUnavailable
from streams.log import Sighting, write_sightings
from streams.log.engines import get_engines
from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionAppend
from streams.lookup import forget_streams, load_stream
from streams.models import Epoch, Partition, PlaceToClear
from streams.services.foreign_ends import look_at_ends
from streams.services.places import clear_places
from streams.services.quarantine import list_quarantined, look_at_topics
from tests.kafka.engines import count_partitions, make_partitions
from tests.run.instance import wait_for
from tests.streams.log.appending import event, read_all

pytestmark = [pytest.mark.kafka, pytest.mark.database]


def engine():
    return get_engines().get("kafka-main").log


def delete_topic(log, topic):
    log.topics.delete(topic)
    wait_for("every broker has heard of it", lambda: count_partitions(log, topic) == 0)


def make_topic(log, topic, partitions):
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1)

    def try_it():
        try:
            log.topics._admin.create_topics([new])[topic].result()
        except Exception:
            return False
        return True

    wait_for("it can be made again", try_it)
    wait_for("it is there", lambda: count_partitions(log, topic) == partitions)


@pytest.fixture
def clicks(shop):
    """A stream of one partition with the events 1 to 5; its topic."""
    made = shop.post("/streams", {"name": "clicks", "engine": "kafka-main", "allow_weak": True})
    assert made.status_code == 201, made.content
    assert append(shop, *range(1, 6)) == [1, 2, 3, 4, 5]
    look_at_ends()
    return Epoch.objects.get().topic


def append(shop, *payloads):
    answer = shop.post("/streams/clicks/events", [{"payload": each} for each in payloads])
    assert answer.status_code == 202, answer.content
    return [each["offset"] for each in answer.json()["events"]]


def read(shop, last_offset=0):
    answer = shop.get("/streams/clicks/events", last_offset=last_offset)
    assert answer.status_code == 200, answer.content
    return [(each["offset"], each["payload"]) for each in json.loads(answer.content)], answer


def release(*more):
    call_command("release_stream", "clicks", *more)
    forget_streams()


def test_a_topic_that_was_made_anew_is_left_alone_and_gone_on_with_once_the_loss_is_accepted(shop, clicks):
    first_id = Epoch.objects.get().topic_id
    delete_topic(engine(), clicks)
    make_topic(engine(), clicks, 1)

    assert look_at_topics(now=timezone.now()) == 1
    refused = shop.post("/streams/clicks/events", {"payload": 6})
    assert (refused.status_code, refused.json()["code"]) == (503, "stream_quarantined")
    with pytest.raises(CommandError, match="Nothing was changed"):
        release()

    release("--accept-loss")
    assert append(shop, 6, 7) == [6, 7]
    events, answer = read(shop)
    assert events == [(6, 6), (7, 7)]
    assert answer["EventFlow-Gap"] == "1-5"
    assert Epoch.objects.get().topic_id != first_id
    assert look_at_topics(now=timezone.now()) == 0


def test_one_that_was_cut_short_keeps_what_is_left_and_goes_on_behind_what_is_lost(shop, clicks):
    # As the worker had seen it that was told of two more, before a stale replica came to lead.
    write_sightings([Sighting(Partition.objects.get().pk, 7)])
    look_at_ends()
    assert [each.reason for each in list_quarantined()] == ["partition 0 ends at 5, and had events up to 7"]
    release("--accept-loss")
    assert append(shop, 8, 9) == [8, 9]
    assert read(shop)[0] == [(each, each) for each in range(1, 6)]
    events, answer = read(shop, 5)
    assert (events, answer["EventFlow-Gap"]) == ([(8, 8), (9, 9)], "6-7")
    look_at_ends()
    assert Partition.objects.get().head_offset == 9
    assert list_quarantined() == []


def test_a_topic_that_is_gone_has_to_be_made_before_the_stream_goes_on(shop, clicks):
    delete_topic(engine(), clicks)
    with pytest.raises(CommandError, match="There is no topic"):
        release("--accept-loss")
    make_topic(engine(), clicks, 1)
    release("--accept-loss")
    assert append(shop, 6) == [6]


def test_the_topic_of_somebody_else_outlives_a_stream_whose_own_is_gone(shop, clicks):
    delete_topic(engine(), clicks)
    make_topic(engine(), clicks, 1)
    look_at_topics(now=timezone.now())
    assert shop.delete("/streams/clicks?confirm=clicks").status_code == 204
    assert clear_places(now=PlaceToClear.objects.get().due_at) == 1
    assert not PlaceToClear.objects.exists()
    assert count_partitions(engine(), clicks) == 1


# --- before a tick has looked ----------------------------------------------------------------------------


def test_a_process_that_has_seen_more_answers_nobody_with_less(kafka_log):
    [partition] = make_partitions(kafka_log)
    kafka_log.append([PartitionAppend(partition, [event(str(number)) for number in range(5)])])
    topic = place_of(partition).topic
    delete_topic(kafka_log, topic)
    make_topic(kafka_log, topic, 1)
    with pytest.raises(TopicUnavailable, match="ends at 0, and had events up to 5"):
        read_all(kafka_log, partition)

    # A producer that has not heard of it either goes on for a moment with the old one.
    def is_in_doubt():
        try:
            kafka_log.append([PartitionAppend(partition, [event("x")])])
        except AppendOutcomeUnknown as error:
            return "made anew" in error.detail
        return False

    wait_for("an append goes where events had been, and nobody is told that it is there", is_in_doubt)


def test_one_topic_that_is_gone_holds_up_no_other(shop, clicks):
    assert shop.post("/streams", {"name": "other", "engine": "kafka-main", "allow_weak": True}).status_code == 201
    delete_topic(engine(), clicks)
    for _ in range(4):
        answer = shop.get("/streams/clicks/events", last_offset=0)
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
    assert shop.post("/streams/other/events", {"payload": 1}).status_code == 202


def test_what_native_clients_append_elsewhere_is_seen_while_one_topic_is_gone(shop, clicks):
    shop.post("/streams", {"name": "orders", "engine": "kafka-main", "allow_weak": True})
    (place,) = load_stream("orders").partitions
    native = Producer({"bootstrap.servers": engine()._options.bootstrap_servers, "log_level": 0})
    native.produce(place_of(place).topic, event("native"), partition=0)
    assert native.flush(10) == 0
    delete_topic(engine(), clicks)
    assert look_at_ends() == 1
    assert Partition.objects.get(stream__name="orders").head_offset == 1
    assert Partition.objects.get(stream__name="clicks").head_offset == 5
