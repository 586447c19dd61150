"""Topics: what they are made with, what is refused, and who says that one is gone."""

import pytest
from confluent_kafka.admin import ConfigResource, NewTopic

from streams.errors import EngineRefuses, LogUnavailable, PartitionGone
from streams.log.kafka.places import place_of
from streams.log.protocol import PartitionAppend, PartitionRef, TopicSpec
from tests.kafka.engines import count_partitions, make_partitions
from tests.run.instance import wait_for
from tests.streams.log.appending import event, read_all, span

pytestmark = pytest.mark.kafka


def append(log, partition, *names):
    return log.append([PartitionAppend(partition, [event(name) for name in names])]).ranges[0]


def settings_of(log, partition):
    resource = ConfigResource(ConfigResource.Type.TOPIC, place_of(partition).topic)
    return {
        name: each.value for name, each in log.topics._admin.describe_configs([resource])[resource].result().items()
    }


def test_a_topic_is_made_with_what_a_stream_needs(kafka_log):
    [partition] = make_partitions(kafka_log)
    found = settings_of(kafka_log, partition)
    assert found["cleanup.policy"] == "delete"
    assert found["message.timestamp.type"] == "LogAppendTime"
    assert found["unclean.leader.election.enable"] == "false"
    assert (found["retention.ms"], found["retention.bytes"]) == ("-1", "-1")
    assert found["min.insync.replicas"] == str(kafka_log._options.min_in_sync_replicas)
    assert partition.epochs[0].topic_id


def test_retention_by_bytes_is_the_topics_share_in_segments_that_can_go(kafka_log):
    partitions = make_partitions(kafka_log, 4, TopicSpec(max_bytes=64 * 1024 * 1024))
    found = settings_of(kafka_log, partitions[0])
    assert (found["retention.bytes"], found["segment.bytes"]) == (str(16 * 1024 * 1024), str(4 * 1024 * 1024))


def test_to_make_it_again_changes_nothing(kafka_log):
    partitions = make_partitions(kafka_log, 2)
    append(kafka_log, partitions[0], "a")
    bare = [each._replace(epochs=()) for each in partitions]
    again = kafka_log.ensure(bare, TopicSpec(allow_weak=True))
    assert again == {each.id: each.epochs[0] for each in partitions}
    assert len(read_all(kafka_log, partitions[0])) == 1


@pytest.mark.parametrize(
    ("partitions", "settings", "words"),
    [
        (3, {}, "it has 3 partitions, and has to have 2"),
        (2, {"cleanup.policy": "compact"}, "cleanup.policy is compact, and has to be delete"),
        (2, {"message.timestamp.type": "CreateTime"}, "message.timestamp.type is CreateTime"),
        (2, {"max.message.bytes": "1000"}, "max.message.bytes is 1000, and has to be 1048588"),
        (2, {"retention.ms": "1000"}, "retention.ms is 1000, and has to be -1"),
    ],
)
def test_a_topic_that_is_there_and_differs_is_refused_and_left_as_it_is(kafka_log, partitions, settings, words):
    refs = [PartitionRef(9_000_000 + number, "taken", number) for number in range(2)]
    topic = f"{kafka_log._options.topic_prefix}taken.9000000.1"
    usual = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
    new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config={**usual, **settings})
    kafka_log.topics._admin.create_topics([new])[topic].result()

    with pytest.raises(EngineRefuses, match="It was not changed") as refused:
        kafka_log.ensure(refs, TopicSpec(allow_weak=True))

    assert words in str(refused.value)
    assert count_partitions(kafka_log, topic) == partitions


def test_an_engine_that_could_lose_events_is_taken_into_the_bargain_or_not_at_all(make_kafka_log):
    log = make_kafka_log(replication_factor=1, min_in_sync_replicas=1)
    refs = [PartitionRef(8_000_000, "weak", 0)]
    with pytest.raises(EngineRefuses, match="allow_weak"):
        log.ensure(refs)
    assert log.ensure(refs, TopicSpec(allow_weak=True))
    assert (log.health().is_writable, log.health().is_durable) == (True, False)


def test_more_replicas_than_there_are_brokers_are_refused(make_kafka_log):
    log = make_kafka_log(replication_factor=9, min_in_sync_replicas=2)
    with pytest.raises(EngineRefuses, match="made no topic"):
        log.ensure([PartitionRef(8_000_001, "many", 0)])


def test_brokers_that_are_missed_later_than_appends_wait_are_told_of_once(make_kafka_log, caplog):
    make_partitions(make_kafka_log())
    assert "broker.session.timeout.ms" not in caplog.text
    impatient = make_kafka_log(producer={"message.timeout.ms": 2_500})
    make_partitions(impatient)
    make_partitions(impatient)
    assert caplog.text.count("broker.session.timeout.ms is 3000, and appends wait for 2500") == 1


def test_a_topic_that_somebody_deleted_is_unavailable_as_only_the_control_plane_says_what_is_gone(make_kafka_log):
    known = set()
    log = make_kafka_log(is_known=lambda partition: partition.id in known)
    [partition] = make_partitions(log)
    known.add(partition.id)
    append(log, partition, "a")
    log.topics.delete(place_of(partition).topic)
    with pytest.raises(LogUnavailable):
        log.read(partition, after=0, max_events=1, max_bytes=1)
    known.clear()
    with pytest.raises(PartitionGone):
        log.read(partition, after=0, max_events=1, max_bytes=1)


def test_a_topic_goes_with_the_last_of_its_partitions_and_events_with_their_own(kafka_log, make_kafka_log):
    first, second = make_partitions(kafka_log, 2)
    topic = place_of(first).topic
    append(kafka_log, first, "a", "b")
    append(kafka_log, second, "c")
    kafka_log.drop([first])
    # Whoever has not heard of it finds nothing any more.
    assert make_kafka_log().bounds([first])[first.id].event_count == 0
    assert len(read_all(kafka_log, second)) == 1
    kafka_log.drop([second])
    wait_for("every broker has heard of it", lambda: count_partitions(kafka_log, topic) == 0)
    kafka_log.drop([first, second])


# --- epochs ------------------------------------------------------------------------------------------------


def test_a_stream_that_moved_here_goes_on_with_its_offsets(kafka_log):
    [partition] = make_partitions(kafka_log, spec=TopicSpec(first_offset=1_001, epoch_number=2))
    assert kafka_log.bounds([partition])[partition.id][:2] == (1_001, 1_000)
    assert span(append(kafka_log, partition, "a", "b")) == (1_001, 1_002)
    read = kafka_log.read(partition, after=1_000, max_events=10, max_bytes=10_000)
    assert list(read.offsets) == [1_001, 1_002]
    assert b'"offset":1002,' in read.events[1]
    assert kafka_log.trim(partition, keep_events=1) == 1
    assert kafka_log.bounds([partition])[partition.id][:2] == (1_002, 1_002)
    assert kafka_log.offset_at(partition, read.bounds.last_recorded_at) == 1_002


def test_what_was_written_behind_the_end_of_an_epoch_is_not_of_the_stream(kafka_log):
    """A probe that found the fence still open."""
    [partition] = make_partitions(kafka_log)
    append(kafka_log, partition, "a", "b", "c")
    ended = partition._replace(epochs=(partition.epochs[0]._replace(last_offset=2),))
    assert kafka_log.bounds([ended])[ended.id][:2] == (1, 2)
    assert [one["id"] for one in read_all(kafka_log, ended)] == ["a", "b"]
