"""The list of tests that run again with streams in Kafka: it names tests that there are, and they do lie there."""

from importlib import import_module

import pytest

from streams.log import engine_aliases
from tests.factories import make_stream
from tests.kafka.shared_stories import LEFT_OUT


@pytest.mark.parametrize("name", LEFT_OUT)
def test_every_test_that_is_left_out_is_there_and_says_why(name):
    module = import_module(name)
    assert [each for each in LEFT_OUT[name] if not hasattr(module, each)] == []
    assert all(LEFT_OUT[name].values())


@pytest.mark.usefixtures("db_with_commits")
def test_streams_lie_where_the_name_of_the_test_says(request):
    alias = "kafka-main" if request.node.get_closest_marker("kafka") else "postgres"
    stream = make_stream(partitions=2)
    assert stream.engine == alias
    assert stream.has_epochs is (alias != "postgres")
    assert ("kafka-main" in engine_aliases()) is (alias != "postgres")
