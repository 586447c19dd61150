"""Engines and partitions to try them with."""

import itertools
from collections.abc import Callable, Iterator

import pytest

from streams.log import get_log
from streams.log.memory import MemoryLog
from streams.log.protocol import Log, PartitionRef
from streams.lookup import info_of
from tests.factories import make_stream

_ids = itertools.count(1)

MakePartitions = Callable[..., list[PartitionRef]]


@pytest.fixture
def make_partitions(db_with_commits: None) -> MakePartitions:
    """Builder of a stream's partitions in PostgreSQL."""
    return lambda count=1: list(info_of(make_stream(partitions=count)).partitions)


@pytest.fixture
def partition(make_partitions: MakePartitions) -> PartitionRef:
    return make_partitions()[0]


@pytest.fixture
def postgres_log(db_with_commits: None) -> Log:
    return get_log()


@pytest.fixture(params=["memory", "postgres"])
def any_log(request: pytest.FixtureRequest) -> Iterator[Log]:
    """Each engine in turn: what holds for one must hold for all."""
    if request.param == "memory":
        yield MemoryLog()
    else:
        request.getfixturevalue("db_with_commits")
        yield get_log()


@pytest.fixture
def any_partitions(request: pytest.FixtureRequest, any_log: Log) -> MakePartitions:
    """Builder of partitions for the engine under test."""

    def make(count: int = 1) -> list[PartitionRef]:
        if isinstance(any_log, MemoryLog):
            partitions = [PartitionRef(next(_ids), "stream", number) for number in range(count)]
            any_log.ensure(partitions)
            return partitions
        return list(info_of(make_stream(partitions=count)).partitions)

    return make
