"""Whoever moves a stream to Kafka or back is killed at every statement, and what it asked of Kafka before stays."""

import itertools

import pytest
from django.utils import timezone

from streams.models import Stream, StreamMove
from streams.services.moving.asking import abort_move, ask_for_move
from streams.services.moving.steps import carry_on_moves, carry_out
from streams.services.places import clear_places
from tests.kafka.moving import PARTITIONS
from tests.streams.dying import dying

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.database,
    pytest.mark.slow("moves a stream once for each statement of a move, and closes its topics"),
]


def append(shop, told):
    body = [{"key": str(n), "payload": n} for n in range(len(told), len(told) + 5)]
    answer = shop.post("/streams/orders/events", body)
    assert answer.status_code == 202, answer.content
    stored = answer.json()["events"]
    told |= {sent["payload"]: (each["partition"], each["offset"]) for sent, each in zip(body, stored, strict=True)}


def read_all(shop):
    found = {}
    for number in range(PARTITIONS):
        position = 0
        while events := shop.get("/streams/orders/events", last_offset=position, partition=number).json():
            offsets = [each["offset"] for each in events]
            assert offsets == list(range(position + 1, position + 1 + len(events)))
            found |= {each["payload"]: (number, each["offset"]) for each in events if each["payload"] is not None}
            position = offsets[-1]
    return found


def test_it_may_be_killed_before_any_statement(shop):
    assert shop.post("/streams", {"name": "orders", "partitions": PARTITIONS}).status_code == 201
    told, deaths = {}, 0
    append(shop, told)
    for target in ("kafka-main", "postgres"):
        for number in itertools.count():
            stream = Stream.objects.get()
            move = ask_for_move(stream=stream, target=target, allow_weak=True)
            with dying(before_statement=number) as has_died:
                carry_out(move)
            if not has_died():
                break
            deaths += 1
            move.refresh_from_db()
            if move.finished_at is None and number % 2:
                StreamMove.objects.filter(finished_at=None).update(worked_until=timezone.now())
                assert carry_on_moves() == 1
            elif move.finished_at is None:
                abort_move(move=move)
            append(shop, told)
            if Stream.objects.get().engine == target:
                carry_out(ask_for_move(stream=Stream.objects.get(), target=move.source, allow_weak=True))
        append(shop, told)
        assert read_all(shop) == told
        assert Stream.objects.get().engine == target
        clear_places(now=timezone.now())
    assert deaths > 20
