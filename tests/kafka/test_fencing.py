"""A topic is closed: its leaders refuse every record, and where it ends is certain."""

import json
import threading
import time

import pytest

from streams.errors import AppendOutcomeUnknown, PlaceFenced
from streams.log.kafka.fencing import FENCE_TYPE
from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionAppend
from tests.kafka.engines import make_partitions
from tests.run.instance import wait_for
from tests.streams.log.appending import event, read_all
from tests.threads import Work

pytestmark = pytest.mark.kafka

TAG = b"0123456789abcdef"


def append(log, partition, *names):
    return log.append([PartitionAppend(partition, [event(name) for name in names])]).ranges[0]


def test_a_closed_topic_refuses_for_certain_and_its_ends_are_told(kafka_log, make_kafka_log):
    partitions = make_partitions(kafka_log, 3)
    for number, partition in enumerate(partitions):
        append(kafka_log, partition, *map(str, range(number)), "last")
    ends = kafka_log.fence(partitions)
    assert ends == {each.id: kafka_log.bounds([each])[each.id].head_offset for each in partitions}
    for log in (kafka_log, make_kafka_log(topic_prefix=kafka_log._options.topic_prefix)):
        for partition in partitions:
            with pytest.raises(PlaceFenced) as refused:
                append(log, partition, "a", "b")
            assert list(refused.value.stored) == [[]]
    assert kafka_log.fence(partitions) == ends
    kafka_log.lift_fence(partitions)
    wait_for("it takes events again", lambda: takes(kafka_log, partitions[0]), seconds=20)


def takes(log, partition):
    try:
        return append(log, partition, "again")
    except PlaceFenced:
        return None


def test_a_probe_that_comes_too_early_is_a_well_formed_event(kafka_log):
    [partition] = make_partitions(kafka_log)
    append(kafka_log, partition, "a")
    placed = [(partition, place_of(partition))]
    fence = kafka_log._fence
    probing = Work(lambda: fence.probe_until_refused(placed, time.monotonic() + 20))
    wait_for("probes are stored", lambda: kafka_log.bounds([partition])[partition.id].head_offset >= 3, seconds=20)
    append(kafka_log, partition, "b")
    ends = kafka_log.fence([partition])
    probing.result()
    events = read_all(kafka_log, partition)
    assert len(events) == ends[partition.id]
    assert [each["id"] for each in events if each.get("type") != FENCE_TYPE] == ["a", "b"]
    probes = [each for each in events if each.get("type") == FENCE_TYPE]
    assert len(probes) >= 2
    assert all(json.dumps(each["payload"]) == "null" for each in probes)


def test_of_an_append_to_several_partitions_it_says_which_part_is_there(kafka_log):
    """Here two topics stand for two leaders of which one has heard of the fence, and the other not yet."""
    [closed], [open_one] = make_partitions(kafka_log), make_partitions(kafka_log)
    kafka_log.fence([closed])
    with pytest.raises(PlaceFenced) as refused:
        kafka_log.append([PartitionAppend(each, [event("a"), event("b")]) for each in (open_one, closed)])
    there, not_there = refused.value.stored
    assert [offset for offset, _ in there] == [1, 2]
    assert list(not_there) == []
    found = kafka_log.find_records(open_one, [event("x"), event("a"), event("b")], since=0)
    assert {index: each.offset for index, each in found.items()} == {1: 1, 2: 2}
    assert kafka_log.find_records(closed, [event("a")], since=0) == {}


def test_what_tries_with_a_tag_have_stored_is_found_where_it_was_stored(kafka_log):
    first, second = make_partitions(kafka_log, 2)
    append(kafka_log, first, "other's")
    appends = [PartitionAppend(each, [event("a"), event("b")]) for each in (first, second)]
    kafka_log.append_tagged(appends[1:], tag=TAG, places=[2, 3])
    kafka_log.fence([first, second])
    with pytest.raises(PlaceFenced):
        kafka_log.append_tagged(appends, tag=TAG, since={first.id: 0, second.id: 0})
    assert kafka_log.find_tagged(first, tag=TAG, since=0) == {}
    found = kafka_log.find_tagged(second, tag=TAG, since=0)
    assert {index: each.offset for index, each in found.items()} == {2: 1, 3: 2}


def test_writers_that_go_on_meanwhile_are_told_the_truth(kafka_log):
    [partition] = make_partitions(kafka_log)
    told, stop = {}, threading.Event()

    def write(thread):
        for number in range(100_000):
            if stop.is_set():
                return
            name = f"{thread}-{number}"
            try:
                told[name] = append(kafka_log, partition, name).first_offset
            except PlaceFenced:
                return
            except AppendOutcomeUnknown:
                raise AssertionError("nobody would have to doubt") from None

    writers = [Work(lambda thread=thread: write(thread)) for thread in range(8)]
    wait_for("some are stored", lambda: len(told) > 200, seconds=60)
    ends = kafka_log.fence([partition])
    for writer in writers:
        writer.result()
    stop.set()
    there = {each["id"]: each["offset"] for each in read_all(kafka_log, partition) if each.get("type") != FENCE_TYPE}
    assert there == told
    assert max(there.values()) <= ends[partition.id]
