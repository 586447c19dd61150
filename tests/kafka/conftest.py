"""An installation with an engine `kafka-main`, and a stream in it.

Without confluent-kafka the tests that import it cannot even be collected: they are left out, as a whole.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from streams.log import SIGHTINGS, close_log
from tests.client import ApiClient
from tests.factories import make_key, make_owner
from tests.kafka.cluster import KafkaCluster

collect_ignore_glob = [] if find_spec("confluent_kafka") else ["test_[!c]*.py"]


@pytest.fixture
def kafka_main(kafka_cluster: KafkaCluster, db_with_commits: None, settings: Any) -> Iterator[None]:
    """An installation with an engine `kafka-main`, and another one that is not used unless a test does."""
    from tests.kafka.engines import engine_settings

    close_log()
    settings.EVENTFLOW_ENGINES = {
        "kafka-main": engine_settings(kafka_cluster, "http-"),
        "kafka-other": engine_settings(kafka_cluster, "other-"),
    }
    yield
    SIGHTINGS.forget()
    close_log()


@pytest.fixture
def shop(kafka_main: None) -> ApiClient:
    return ApiClient(key=make_key(make_owner()))


@pytest.fixture
def orders(shop: ApiClient) -> dict[str, Any]:
    """A stream of three partitions in Kafka."""
    made = shop.post("/streams", {"name": "orders", "engine": "kafka-main", "partitions": 3, "allow_weak": True})
    assert made.status_code == 201, made.content
    found: dict[str, Any] = made.json()
    return found
