"""Whoever makes a place for a stream may be killed between any two lines: what it has made is found, and cleared."""

import itertools

import pytest

from streams.log.engines import get_engines
from streams.models import PlaceToClear
from streams.services.places import clear_places
from tests.kafka.dying_maker import is_killed
from tests.run.instance import wait_for

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.database,
    pytest.mark.slow("a process for each line, and a topic for most"),
]


def topics_of_orders(prefix):
    """Of this name there is a topic in no other test."""
    names = get_engines().get("kafka-main").log.topics._admin.list_topics().topics
    return [name for name in names if name.startswith(f"{prefix}orders-of-a-dying-maker.")]


def test_what_a_killed_maker_has_made_is_cleared(kafka_main, settings):
    prefix = settings.EVENTFLOW_ENGINES["kafka-main"]["OPTIONS"]["topic_prefix"]
    made = 0
    for line in itertools.count():
        has_died = is_killed(settings.EVENTFLOW_ENGINES, before_line=line)
        made += bool(topics_of_orders(prefix))
        for noted in PlaceToClear.objects.all():
            assert clear_places(now=noted.due_at) == 1
        assert not PlaceToClear.objects.exists()
        wait_for("every topic is gone", lambda: not topics_of_orders(prefix))
        if not has_died:
            break
    # It died before there was a topic, and after.
    assert 1 < made < line
