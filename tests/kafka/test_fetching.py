"""What consumers give at once, whatever happens between the question for the ends and the fetch."""

import json
import time

import pytest
from confluent_kafka import KafkaError

from streams.log.kafka import fetching, sparse
from streams.log.kafka.consumers import Standing
from streams.log.kafka.errors import KafkaSilent
from streams.log.kafka.fetching import PositionPassed, fetch_step
from streams.log.kafka.looking import Looker
from streams.log.kafka.messages import native_offset
from streams.log.kafka.places import Place
from streams.log.kafka.reading import KafkaReader
from streams.log.kafka.sparse import SparseReader, fetch_sparse_step
from streams.log.protocol import JUST_NOW, PartitionRef
from tests.kafka.toy_consumer import ToyPartition, toy_pool

PLACE = Place("t", 0)
ADOPTED = Place("t", 0, is_sparse=True)
MIB = 1024 * 1024


@pytest.fixture
def partition(monkeypatch):
    for module in (fetching, sparse):
        monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.2)
    return ToyPartition()


def step(pool, position, *, end):
    standing = Standing(ADOPTED, position)
    with pool.lend(standing) as consumer:
        return fetch_sparse_step(consumer, standing, end=end, max_records=1_000)


def offsets(records):
    return [native_offset(each) for each in records]


def test_what_came_after_the_ends_were_asked_for_is_left_to_the_next_read(partition):
    partition.write(b"0", b"1", b"2", b"3")
    pool = toy_pool(partition)
    assert offsets(step(pool, 0, end=2).records) == [0, 1]
    assert offsets(step(pool, 2, end=4).records) == [2, 3]


def test_a_reader_of_an_adopted_topic_gets_what_came_while_it_asked(partition):
    partition.write(b"0", b"1")
    pool = toy_pool(partition)
    looker = Looker(toy_pool(partition))
    ask = looker.ends

    def ask_and_be_overtaken(places):
        ends = ask(places)
        looker.ends = ask
        partition.write(b"2", b"3")
        return ends

    looker.ends = ask_and_be_overtaken
    reader = SparseReader(looker, readers=pool, peekers=pool)
    seen, position = [], 0
    for _ in range(3):
        found = reader.read(PartitionRef(1, "s", 0), ADOPTED, after=position, max_events=100, max_bytes=MIB)
        seen += [json.loads(each)["payload"] for each in found.events]
        position = found.next_offset
    assert seen == [0, 1, 2, 3]


def test_what_comes_before_a_hole_at_the_end_is_given(partition):
    partition.write(b"{}", b"{}")
    partition.leave_a_hole()
    pool = toy_pool(partition)
    for position, given in ((0, [0, 1]), (1, [1])):
        with pool.lend() as consumer:
            assert offsets(fetch_step(consumer, Standing(PLACE, position), end=3, max_records=1_000)) == given
    for _ in range(2):
        with pool.lend(Standing(PLACE, 2)) as consumer, pytest.raises(PositionPassed):
            fetch_step(consumer, Standing(PLACE, 2), end=3, max_records=1_000)


@pytest.mark.parametrize(
    ("code", "is_of_one_topic"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, True),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, False),
    ],
)
def test_a_topic_that_may_not_be_read_keeps_nobody_from_the_others(partition, code, is_of_one_topic):
    partition.wrong = KafkaError(code)
    pool = toy_pool(partition)
    standing = Standing(ADOPTED, 0)
    for fetch in (
        lambda consumer: fetch_step(consumer, standing, end=1, max_records=1),
        lambda consumer: fetch_sparse_step(consumer, standing, end=1, max_records=1),
    ):
        with pool.lend() as consumer, pytest.raises(KafkaSilent) as silent:
            fetch(consumer)
        assert silent.value.is_of_one_topic is is_of_one_topic
    with pytest.raises(KafkaSilent) as silent:
        Looker(pool).ends([ADOPTED])
    assert silent.value.is_of_one_topic is is_of_one_topic


# --- looking for what an earlier try has stored ----------------------------------------------------------


def reader_of(partition):
    pool = toy_pool(partition)
    return KafkaReader(Looker(toy_pool(partition)), readers=pool, peekers=pool, cache_bytes=0)


def find(reader, *, since, place=PLACE, then=lambda: None):
    """Return the offsets of all records behind one; `then` happens between the question for the ends and the look."""
    [ends] = reader._looker.ends([place])
    then()
    found = reader.find(place, ends, since=since, index_of=native_offset)
    return sorted(found)


def test_what_is_looked_for_from_the_beginning_is_found_however_old_it_is(partition):
    partition.write(b"{}", b"{}")
    reader = reader_of(partition)
    assert find(reader, since=0) == [0, 1]
    assert find(reader, since=1) == [1]


def test_what_was_sent_just_now_is_not_looked_for_in_what_is_old(partition):
    partition.write(b"{}", b"{}")
    partition.write(b"{}", milliseconds=int(time.time() * 1_000))
    assert find(reader_of(partition), since=JUST_NOW) == [2]


@pytest.mark.parametrize("place", [PLACE, ADOPTED])
def test_retention_that_comes_by_takes_nothing_of_what_is_kept_from_who_looks(partition, place):
    partition.write(b"{}", b"{}", b"{}")
    assert find(reader_of(partition), since=0, place=place, then=lambda: partition.cut(2)) == [2]


@pytest.mark.parametrize("place", [PLACE, ADOPTED])
def test_a_hole_at_the_end_hides_nothing_from_who_looks(partition, place):
    partition.write(b"{}", b"{}")
    partition.leave_a_hole()
    assert find(reader_of(partition), since=0, place=place) == [0, 1]
