"""Reads of Kafka: what is there, what is not, and what does not belong into a stream."""

import json

import pytest
from confluent_kafka import Producer

from streams.log.kafka.places import place_of
from streams.log.protocol import LogDamaged, PartitionAppend
from tests.kafka.engines import make_partitions
from tests.run.instance import wait_for
from tests.streams.log.appending import event, read_all

pytestmark = pytest.mark.kafka

MIB = 1024 * 1024


def append(log, partition, *names, size=0):
    return log.append([PartitionAppend(partition, [event(name, size=size) for name in names])]).ranges[0]


def ids(result):
    return [json.loads(text)["id"] for text in result.events]


@pytest.mark.parametrize("cache_bytes", [0, 64 * MIB])
@pytest.mark.parametrize("step", [1, 3, 1_000])
def test_another_process_reads_all_in_order_with_a_memory_and_without(make_kafka_log, cache_bytes, step):
    writing, reading = make_kafka_log(), make_kafka_log(cache_bytes=cache_bytes)
    [partition] = make_partitions(writing)
    for number in range(30):
        append(writing, partition, *(f"{number}-{index}" for index in range(1 + number % 5)))
    expected = [f"{number}-{index}" for number in range(30) for index in range(1 + number % 5)]
    assert [one["id"] for one in read_all(reading, partition, step=step)] == expected


def test_what_is_appended_while_the_end_is_asked_for_is_no_event_that_was_lost(kafka_log, monkeypatch):
    [partition] = make_partitions(kafka_log)
    append(kafka_log, partition, "a")
    looker = kafka_log._reader._looker
    ask = looker.ends

    def ask_and_be_overtaken(places):
        ends = ask(places)
        monkeypatch.undo()
        append(kafka_log, partition, "b")
        return ends

    monkeypatch.setattr(looker, "ends", ask_and_be_overtaken)
    assert ids(kafka_log.read(partition, after=0, max_events=10, max_bytes=MIB)) == ["a"]
    assert ids(kafka_log.read(partition, after=0, max_events=10, max_bytes=MIB)) == ["a", "b"]


def test_large_events_are_read_where_no_two_fit_into_a_fetch(make_kafka_log):
    writing, reading = make_kafka_log(), make_kafka_log()
    [partition] = make_partitions(writing)
    for name in "abc":
        append(writing, partition, name, size=999_000)
    assert [one["id"] for one in read_all(reading, partition)] == ["a", "b", "c"]
    # The consumers of single events fetch little at a time, but never less than one.
    assert ids(reading.read(partition, after=1, max_events=1, max_bytes=1)) == ["b"]
    assert all(reading.recorded_after([(partition, after) for after in range(3)]))


def test_a_process_that_has_just_started_knows_when_the_newest_event_came(make_kafka_log):
    writing = make_kafka_log()
    full, empty = make_partitions(writing, 2)
    append(writing, full, "a")
    newest = append(writing, full, "b").recorded_at
    bounds = make_kafka_log().bounds([full, empty])
    assert (bounds[full.id].last_recorded_at, bounds[empty.id].last_recorded_at) == (newest, None)


def test_retention_of_another_process_is_seen_by_one_that_has_read_before(make_kafka_log):
    one, other = make_kafka_log(), make_kafka_log()
    [partition] = make_partitions(one)
    append(one, partition, *"abcdef")
    assert ids(other.read(partition, after=0, max_events=10, max_bytes=MIB)) == list("abcdef")
    one.trim(partition, keep_events=2)
    read = other.read(partition, after=1, max_events=10, max_bytes=MIB)
    assert (ids(read), read.gap) == (["e", "f"], (2, 4))


@pytest.mark.parametrize("value", [None, b"", b"[]", b"text"])
def test_what_another_client_wrote_and_is_no_event_is_damage_and_not_passed_on(kafka_cluster, kafka_log, value):
    [partition] = make_partitions(kafka_log)
    append(kafka_log, partition, "a")
    place = place_of(partition)
    client = Producer({"bootstrap.servers": kafka_cluster.addresses})
    client.produce(place.topic, value, partition=place.number)
    client.flush()
    append(kafka_log, partition, "b")
    with pytest.raises(LogDamaged, match="offset 2 holds no event"):
        kafka_log.read(partition, after=0, max_events=10, max_bytes=MIB)
    assert ids(kafka_log.read(partition, after=2, max_events=10, max_bytes=MIB)) == ["b"]


def test_a_transaction_of_another_client_leaves_a_hole_that_is_damage_and_not_waited_for(kafka_cluster, kafka_log):
    [partition] = make_partitions(kafka_log)
    append(kafka_log, partition, "a")
    place = place_of(partition)
    client = Producer({"bootstrap.servers": kafka_cluster.addresses, "transactional.id": f"of-{place.topic}"})
    client.init_transactions(30)
    client.begin_transaction()
    client.produce(place.topic, event("b"), partition=place.number)
    client.commit_transaction(30)
    # The mark of its end comes a moment later.
    wait_for("the transaction has ended", lambda: kafka_log.bounds([partition])[partition.id].head_offset == 3)
    with pytest.raises(LogDamaged):
        read_all(kafka_log, partition)
    append(kafka_log, partition, "c")
    with pytest.raises(LogDamaged):
        read_all(kafka_log, partition)
