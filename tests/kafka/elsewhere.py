"""Tests of what people do with a stream, once more with their streams in Kafka.

With a cluster in the run (`EVENTFLOW_TEST_KAFKA`), each test of the modules that `shared_stories.py` lists runs twice: as ever,
and, as `…[kafka]`, with an engine `kafka-main` in which `make_stream` makes its streams unless a test says where.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from streams.log import SIGHTINGS, close_log
from tests import factories
from tests.kafka.fixtures import VARIABLE
from tests.kafka.shared_stories import LEFT_OUT

ALIAS = "kafka-main"
FIXTURE = "streams_in_kafka"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    left_out = LEFT_OUT.get(metafunc.module.__name__)
    if left_out is None or not os.environ.get(VARIABLE):
        return
    here, there = pytest.param(False, id=pytest.HIDDEN_PARAM), pytest.param(True, id="kafka", marks=pytest.mark.kafka)
    # Also those that run once say where: the installation before was another test's.
    params = [here] if metafunc.function.__name__ in left_out else [here, there]
    metafunc.fixturenames.append(FIXTURE)
    metafunc.parametrize(FIXTURE, params, indirect=True, scope="module")


def pytest_itemcollected(item: pytest.Item) -> None:
    if FIXTURE in getattr(getattr(item, "callspec", None), "params", ()):
        # No test asks for it, so it is in nobody's list yet; first, as others make streams.
        item.fixturenames.insert(0, FIXTURE)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def streams_in_kafka(request: pytest.FixtureRequest) -> Iterator[None]:
    """An installation whose streams lie in Kafka, if the test is the one of Kafka."""
    if not request.param:
        yield
        return
    if os.environ.get("ELSEWHERE") == "distant":
        engine = {"ENGINE": "tests.distant_log", "OPTIONS": {}}
    else:
        from tests.kafka.engines import engine_settings

        engine = engine_settings(request.getfixturevalue("kafka_cluster"), "shared-")
    close_log()
    note = SIGHTINGS.note

    def note_and_write(*seen: Any) -> None:
        # What is appended shows in numbers within a second; a test that looks at once does not wait for it.
        note(*seen)
        # Appends may come from an event loop, which the database is not asked on.
        writer.submit(_write).result()

    with ThreadPoolExecutor(1) as writer, pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "EVENTFLOW_ENGINES", {ALIAS: engine})
        patch.setattr(SIGHTINGS, "note", note_and_write)
        patch.setattr(factories, "usual_settings", {"engine": ALIAS, "allow_weak": True})
        yield
        SIGHTINGS.forget()
        close_log()


def _write() -> None:
    try:
        SIGHTINGS.write()
    finally:
        connection.close()
