"""Engines and partitions to try them with."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from django.db import connection

from streams.log import get_log
from streams.log.memory import MemoryLog
from streams.log.postgres import PostgresLog
from streams.log.protocol import Log, PartitionRef, TopicSpec
from streams.log.wakeup import Wakeups
from streams.lookup import info_of
from tests.distant_log import DistantLog
from tests.factories import make_stream
from tests.streams.log.faulty_network import FaultyNetwork

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


@pytest.fixture
def make_log(db_with_commits: None) -> Iterator[Callable[..., PostgresLog]]:
    """Builder of further engines, as other processes have them; each is closed in the end."""
    made: list[tuple[PostgresLog, Wakeups]] = []

    def make(**options: int) -> PostgresLog:
        wakeups = Wakeups()
        made.append((PostgresLog(wakeups=wakeups, **options), wakeups))
        return made[-1][0]

    yield make
    for log, wakeups in made:
        log.close()
        wakeups.close()


@pytest.fixture
def network(db_with_commits: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyNetwork]:
    """What lies between the log's own connections and the server; this thread's connection does not use it."""
    connection.ensure_connection()
    params = connection.get_connection_params()
    network = FaultyNetwork(host=params.get("host") or "127.0.0.1", port=int(params.get("port") or 5432))
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        patch.setitem(connection.settings_dict, "PORT", str(network.port))
        yield network
    network.close()


def skip_without_capability(request: pytest.FixtureRequest, log: Log) -> None:
    """Skip a test that is marked with what this engine does not promise."""
    for mark in request.node.iter_markers("needs"):
        if missing := set(mark.args) - log.capabilities:
            pytest.skip(f"this engine has no {', '.join(sorted(missing))}")


@pytest.fixture(
    params=[
        "memory",
        "distant",
        pytest.param("postgres", marks=pytest.mark.database),
        pytest.param("kafka", marks=pytest.mark.kafka),
    ]
)
def any_log(request: pytest.FixtureRequest) -> Log:
    """Each engine in turn: what holds for one must hold for all, unless it is marked with what it `needs`."""
    log: Log
    if request.param == "memory":
        log = MemoryLog()
    elif request.param == "distant":
        log = DistantLog()
    elif request.param == "kafka":
        log = request.getfixturevalue("kafka_log")
    else:
        request.getfixturevalue("db_with_commits")
        log = get_log()
    skip_without_capability(request, log)
    return log


@pytest.fixture
def any_partitions(request: pytest.FixtureRequest, any_log: Log) -> MakePartitions:
    """Builder of partitions for the engine under test."""

    def make(count: int = 1) -> list[PartitionRef]:
        if request.node.callspec.params["any_log"] != "postgres":
            name = f"stream-{next(_ids)}"
            partitions = [PartitionRef(next(_ids), name, number) for number in range(count)]
            epochs = any_log.ensure(partitions, TopicSpec(allow_weak=True))
            return [each._replace(epochs=(epochs[each.id],)) if epochs else each for each in partitions]
        return list(info_of(make_stream(partitions=count)).partitions)

    return make
