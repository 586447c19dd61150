"""A stream is moved to Kafka and back under load: nothing that was answered is lost, twice, elsewhere or in a hole."""

import time

import pytest

from streams.models import MoveState, Partition, Stream
from streams.services.moving.asking import ask_for_move
from streams.services.moving.steps import carry_out
from tests.kafka.moving import EVENTS, PARTITIONS, check_all, some_more, used

pytestmark = [pytest.mark.kafka, pytest.mark.database, pytest.mark.slow("moves streams under load")]


@pytest.fixture
def orders(shop):
    made = shop.post("/streams", {"name": "orders", "partitions": PARTITIONS})
    assert made.status_code == 201, made.content
    return Stream.objects.get(name="orders")


def move(stream, target):
    stream.refresh_from_db()
    began, steps = time.monotonic(), []
    asked = ask_for_move(stream=stream, target=target, allow_weak=True)
    moved = carry_out(asked, tell=lambda at: steps.append((at.state, round(time.monotonic() - began, 2))))
    print(f"\nto {target}: {steps}")
    assert (moved.state, moved.problem) == (MoveState.MOVED, "")


@pytest.mark.parametrize(
    "targets", [("kafka-main", "postgres", "kafka-main"), ("kafka-main", "kafka-other", "kafka-main")], ids="-".join
)
def test_there_and_back_under_load(shop, orders, targets):
    with used(shop) as users:
        for target in targets:
            some_more(users, EVENTS // 4)
            move(orders, target)
        some_more(users, EVENTS // 4)
    check_all(shop, users)
    assert set(Partition.objects.values_list("is_sealed", flat=True)) == {True}
