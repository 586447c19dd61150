"""The relay as a periodic task: a real scheduler and real workers, on a real broker."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from kombu import Connection
from running import stored, wait_for

pytestmark = pytest.mark.processes
WORKER = ("celery", "-A", "shop", "worker", "--pool", "solo", "--without-gossip", "--without-mingle")


@pytest.fixture
def broker(tmp_path) -> Iterator[dict[str, str]]:
    """A queue of its own on the tests' broker."""
    url = os.environ["REDIS_URL"].replace("unix://", "redis+socket://")
    found = {"SHOP_BROKER_URL": url, "SHOP_QUEUE": f"shop-{os.getpid()}-{tmp_path.name}"}
    yield found
    with Connection(found["SHOP_BROKER_URL"]) as connection:
        connection.default_channel.client.delete(found["SHOP_QUEUE"])


def beat(folder: Path) -> tuple[str, ...]:
    return ("celery", "-A", "shop", "beat", "--schedule", str(folder / "schedule"))


def ticks(broker: dict[str, str]) -> int:
    """How many wait for a worker."""
    with Connection(broker["SHOP_BROKER_URL"]) as connection:
        return int(connection.default_channel.client.llen(broker["SHOP_QUEUE"]))


def test_what_is_published_is_sent_by_whichever_worker_there_is(shop, stream, client, broker, tmp_path):
    with ExitStack() as running:
        running.enter_context(shop.started_module(*beat(tmp_path), **broker))
        first = running.enter_context(shop.started_module(*WORKER, **broker))
        shop.run("publish_events", stream, 20)
        wait_for("the first", lambda: shop.waiting == 0, 60)
        first.kill()
        shop.run("publish_events", stream, 10)
        # Ticks of which nobody takes any notice are not made up for, and need not be.
        wait_for("a few ticks", lambda: ticks(broker) >= 2)
        running.enter_context(shop.started_module(*WORKER, **broker))
        running.enter_context(shop.started_module(*WORKER, **broker))
        wait_for("the rest", lambda: shop.waiting == 0, 60)
    payloads = [event["payload"] for event in stored(client, stream)]
    assert sorted(payloads) == sorted([*range(20), *range(10)])


def test_marks_are_forgotten_by_a_task_too(shop, broker):
    shop.ask_to(
        "INSERT INTO eventflow_django_processedevent"
        ' (stream, "group", partition, "offset", event_id, processed_at)'
        " VALUES ('s', 'g', 0, 1, 'old', now() - interval '8 days'), ('s', 'g', 0, 2, 'new', now())"
    )
    call = "from shop.celery import app; app.send_task('eventflow_django.forget_processed', kwargs={'days': 7})"
    with shop.started_module(*WORKER, **broker):
        shop.python("-c", call, **broker)
        wait_for(
            "the old one to go",
            lambda: shop.ask("SELECT event_id FROM eventflow_django_processedevent WHERE stream = 's'") == [("new",)],
            60,
        )
