"""Appends to Kafka: what becomes of them where PostgreSQL has no such case."""

import logging
import threading

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from streams.errors import AppendNotStored
from streams.log.kafka import producing, reading
from streams.log.kafka.opening import Opener
from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionAppend
from tests.kafka.engines import make_partitions, options_of
from tests.run.instance import wait_for
from tests.streams.log.appending import STORED, UNKNOWN, Load, appending_here, check_log, event, read_all
from tests.threads import in_threads

pytestmark = pytest.mark.kafka

TAG = b"0123456789abcdef"


def append(log, partition, *names, **more):
    return log.append([PartitionAppend(partition, [event(name) for name in names], **more)]).ranges[0]


def ids(log, partition):
    return [one["id"] for one in read_all(log, partition)]


def raw_records(cluster, partition):
    """The records as any client of Kafka sees them."""
    place = place_of(partition)
    consumer = Consumer({"bootstrap.servers": cluster.addresses, "group.id": "raw", "enable.partition.eof": True})
    consumer.assign([TopicPartition(place.topic, place.number, 0)])
    found = []
    while (message := consumer.poll(10)).error() is None:
        found.append(message)
    consumer.close()
    return found


def test_a_record_is_the_event_as_it_came_with_its_key_and_no_headers(kafka_cluster, kafka_log):
    [partition] = make_partitions(kafka_log)
    kafka_log.append([PartitionAppend(partition, [event("a"), event("b")], keys=[b"k", None])])
    kafka_log.append([PartitionAppend(partition, [event("c")], keys=["é".encode()])])
    records = raw_records(kafka_cluster, partition)
    assert [(each.value(), each.key(), each.headers()) for each in records] == [
        (event("a"), b"k", None),
        (event("b"), None, None),
        (event("c"), "é".encode(), None),
    ]


def test_two_processes_append_side_by_side_and_each_is_told_where_its_events_are(make_kafka_log):
    """Their records lie between each other's: then an append has several runs."""
    logs = [make_kafka_log(), make_kafka_log()]
    [partition] = make_partitions(logs[0])
    told = {}

    def append_often(log, who):
        for request in range(20):
            names = [f"{who}-{request}-{index}" for index in range(700)]
            ranges = append(log, partition, *names)
            offsets = [offset for run in ranges.runs for offset in range(run.first_offset, run.last_offset + 1)]
            assert offsets == sorted(offsets)
            told.update(zip(names, offsets, strict=True))

    assert in_threads([lambda: append_often(logs[0], "one"), lambda: append_often(logs[1], "other")]) == [None, None]
    assert {one["id"]: one["offset"] for one in read_all(logs[0], partition)} == told
    assert len(told) == 2 * 20 * 700


def test_threads_of_one_process_get_what_they_were_told(kafka_log):
    partitions = make_partitions(kafka_log, 3)
    with appending_here(kafka_log, Load(partitions, threads=16, max_events=50)) as outcomes:
        wait_for("a few thousand are stored", lambda: outcomes.count(STORED) > 3_000)
    assert check_log(kafka_log, partitions, [outcomes])["unasked"] == 0


@pytest.mark.parametrize("first", [1, 2, 3])
def test_a_later_try_sends_only_what_the_first_one_did_not_store(kafka_log, first):
    one, other = make_partitions(kafka_log, 2)
    whole = [PartitionAppend(one, [event("a"), event("b")]), PartitionAppend(other, [event("c"), event("d")])]
    # As if the first try had died after so many records.
    part = [whole[0]._replace(records=whole[0].records[:first])]
    if first == 3:
        part = [whole[0], whole[1]._replace(records=whole[1].records[:1])]
    kafka_log.append_tagged(part, tag=TAG)
    append(kafka_log, one, "another's")

    stored = kafka_log.append_tagged(whole, tag=TAG, since={one.id: 0, other.id: 0})

    assert sorted(ids(kafka_log, one)) == ["a", "another's", "b"]
    assert ids(kafka_log, other) == ["c", "d"]
    places = {each["id"]: each["offset"] for each in [*read_all(kafka_log, one), *read_all(kafka_log, other)]}
    for range_, names in zip(stored.ranges, ("ab", "cd"), strict=True):
        offsets = [offset for run in range_.runs for offset in range(run.first_offset, run.last_offset + 1)]
        assert offsets == [places[name] for name in names]


def test_a_later_try_finds_the_first_events_of_a_stream_however_late_it_comes(kafka_log, monkeypatch):
    [partition] = make_partitions(kafka_log)
    request = [PartitionAppend(partition, [event("a"), event("b")])]
    first = kafka_log.append_tagged(request, tag=TAG)
    # As if what was sent just now had been sent long ago.
    monkeypatch.setattr(reading, "_RECENT_SECONDS", -3_600)
    assert kafka_log.append_tagged(request, tag=TAG, since={partition.id: 0}) == first
    assert ids(kafka_log, partition) == ["a", "b"]


def test_what_is_too_large_is_refused_as_a_whole(kafka_log):
    [partition] = make_partitions(kafka_log)
    with pytest.raises(AppendNotStored, match="larger than Kafka takes"):
        kafka_log.append([PartitionAppend(partition, [event("a"), event("b", size=1_048_588)])])
    assert ids(kafka_log, partition) == []
    assert append(kafka_log, partition, "c").first_offset == 1


def test_what_finds_no_room_in_the_queue_is_refused_as_a_whole(kafka_log, monkeypatch):
    monkeypatch.setattr(producing, "MAX_QUEUED_BYTES", 3_000)
    [partition] = make_partitions(kafka_log)
    with pytest.raises(AppendNotStored, match="Too many events wait"):
        kafka_log.append([PartitionAppend(partition, [event("a", size=1_000) for _ in range(3)])])
    append(kafka_log, partition, "b")
    # Room comes free with each append that ends.
    for number in range(10):
        append(kafka_log, partition, f"c{number}")
    assert len(ids(kafka_log, partition)) == 11


class BrokenProducer:
    """A real producer that says once that it has failed for good, as librdkafka does when its session is lost."""

    def __init__(self, real, breaks):
        self._real = real
        self._breaks = breaks

    def __len__(self):
        return len(self._real)

    def __getattr__(self, name):
        return getattr(self._real, name)

    def poll(self, seconds):
        # Not between two appends: nothing would be left open.
        if self._breaks.is_set() and len(self._real) > 0:
            self._breaks.clear()
            raise KafkaException(KafkaError(KafkaError._FATAL, "the session is lost", fatal=True))
        return self._real.poll(seconds)


def test_a_producer_that_fails_for_good_leaves_its_appends_open_and_a_new_one_goes_on(kafka_cluster, make_kafka_log):
    breaks = threading.Event()
    opened = []

    class Breaking(Opener):
        def producer(self, settings) -> Producer:
            opened.append(BrokenProducer(super().producer(settings), breaks))
            return opened[-1]

    log = make_kafka_log(opener=Breaking(options_of(kafka_cluster, "breaks-")))
    [partition] = make_partitions(log)
    with appending_here(log, Load([partition], threads=8)) as outcomes:
        for _ in range(3):
            enough = outcomes.count(STORED) + 200
            wait_for("appends go on", lambda enough=enough: outcomes.count(STORED) > enough)
            breaks.set()
            wait_for("it has failed", lambda: not breaks.is_set())
        enough = outcomes.count(STORED) + 200
        wait_for("appends go on", lambda: outcomes.count(STORED) > enough)
    assert len(opened) == 4
    assert outcomes.count(UNKNOWN) > 0
    assert check_log(log, [partition], [outcomes])["unasked"] == 0


def test_what_librdkafka_has_to_say_goes_to_the_log_of_python(kafka_cluster, make_kafka_log, caplog, capfd):
    addresses = f"127.0.0.1:9,{kafka_cluster.addresses}"
    with caplog.at_level(logging.INFO, logger="eventflow.kafka"):
        [partition] = make_partitions(make_kafka_log(bootstrap_servers=addresses))
        wait_for(
            "it tells of the address where nobody is",
            # Which address is tried first is chance, and with one that answers nobody tries another: so each time anew.
            lambda: (
                append(make_kafka_log(bootstrap_servers=addresses), partition, "a")
                and "127.0.0.1:9/bootstrap" in caplog.text
            ),
        )
    assert "%3|" not in capfd.readouterr().err


def test_an_engine_that_was_closed_takes_no_appends(make_kafka_log):
    log = make_kafka_log()
    [partition] = make_partitions(log)
    append(log, partition, "a")
    log.close()
    with pytest.raises(AppendNotStored, match="shutting down"):
        append(log, partition, "b")
    assert ids(make_kafka_log(), partition) == ["a"]
