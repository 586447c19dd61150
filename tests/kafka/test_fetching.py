"""What consumers give at once, whatever happens between the question for the ends and the fetch."""

import json

import pytest

from streams.log.kafka import sparse
from streams.log.kafka.consumers import Standing
from streams.log.kafka.looking import Looker
from streams.log.kafka.messages import native_offset
from streams.log.kafka.places import Place
from streams.log.kafka.sparse import SparseReader, fetch_sparse_step
from streams.log.protocol import PartitionRef
from tests.kafka.toy_consumer import ToyPartition, toy_pool

ADOPTED = Place("t", 0, is_sparse=True)
MIB = 1024 * 1024


@pytest.fixture
def partition(monkeypatch):
    monkeypatch.setattr(sparse, "_PATIENCE_SECONDS", 0.2)
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
