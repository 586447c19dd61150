"""The cluster of a test run, and engines on it: one cluster, topics of their own for each test.

`EVENTFLOW_TEST_KAFKA` says how many nodes it has; `make test-kafka` sets it. Without it, or where something is missing
that a cluster needs, these tests are skipped and say why.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.kafka.cluster import KafkaCluster
from tests.kafka.jars import NoJars, missing_tools
from tests.places import new_run, remove

if TYPE_CHECKING:
    from streams.log.kafka.engine import KafkaLog

VARIABLE: Final = "EVENTFLOW_TEST_KAFKA"

_names = itertools.count(1)


def why_not() -> str:
    """Say why there is no cluster in this run; empty: there is one."""
    if not os.environ.get(VARIABLE):
        return f"it needs a Kafka cluster: make test-kafka, or {VARIABLE}=1 for one node"
    if find_spec("confluent_kafka") is None:
        return "it needs confluent-kafka: pip install 'eventflow[kafka]'"
    return missing_tools()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = why_not()
    for item in items:
        if "kafka_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")
        if item.get_closest_marker("kafka"):
            item.add_marker("processes")
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def kafka_cluster() -> Iterator[KafkaCluster]:
    """All nodes answer; a test that kills one starts it again."""
    run = new_run()
    try:
        cluster = KafkaCluster(run / "kafka", count=int(os.environ[VARIABLE]))
    except NoJars as missing:
        pytest.skip(str(missing))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        remove(run)


@pytest.fixture
def three_nodes(kafka_cluster: KafkaCluster) -> KafkaCluster:
    """Nodes of which one may be missing."""
    if len(kafka_cluster.nodes) < 3:
        pytest.skip(f"it needs three nodes: {VARIABLE}=3")
    return kafka_cluster


@pytest.fixture
def make_kafka_log(kafka_cluster: KafkaCluster) -> Iterator[Callable[..., "KafkaLog"]]:
    """Builder of engines, as several processes have them; each is closed in the end."""
    from streams.log.kafka.engine import KafkaLog
    from tests.kafka.engines import options_of

    made: list[KafkaLog] = []

    def make(*, opener: Any = None, is_known: Any = None, **options: Any) -> "KafkaLog":
        usual = options_of(kafka_cluster, f"test{next(_names)}-", **options)
        made.append(KafkaLog("kafka", usual, opener=opener, is_known=is_known))
        return made[-1]

    yield make
    for log in made:
        log.close()


@pytest.fixture
def kafka_log(make_kafka_log: Callable[..., "KafkaLog"]) -> "KafkaLog":
    return make_kafka_log()
