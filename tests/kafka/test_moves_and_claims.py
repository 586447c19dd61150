"""Requests with an `Idempotency-Key` whose stream is moved between their tries: each is done once."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from streams.conf import PENDING_SECONDS
from streams.log.engines import get_engines
from streams.lookup import load_stream
from streams.models import Epoch, MoveState, Stream, UnfinishedAppend
from streams.services import receipts
from streams.services.moving.asking import ask_for_move
from streams.services.moving.steps import carry_out

pytestmark = [pytest.mark.kafka, pytest.mark.database]

BODY = [{"key": key, "payload": key} for key in "abcdefghijkl"]


class Died(BaseException):
    """As if the process had been killed."""


@pytest.fixture
def engine(orders):
    return get_engines().get("kafka-main").log


def move(target):
    stream = Stream.objects.get(name="orders")
    moved = carry_out(ask_for_move(stream=stream, target=target, allow_weak=True))
    assert (moved.state, moved.problem) == (MoveState.MOVED, "")


def let_time_pass():
    UnfinishedAppend.objects.update(tried_at=timezone.now() - timedelta(seconds=PENDING_SECONDS + 1))


def read_all(shop):
    found = {}
    for number in range(3):
        position = 0
        while events := shop.get("/streams/orders/events", last_offset=position, partition=number).json():
            offsets = [each["offset"] for each in events]
            assert offsets == list(range(position + 1, position + 1 + len(events)))
            for each in events:
                assert each["payload"] not in found or each["payload"] is None
                found[each["payload"]] = (number, each["offset"])
            position = offsets[-1]
    found.pop(None, None)
    return found


def die_after(monkeypatch, engine, count):
    """Let the first try die when it has stored so many of its events."""

    async def send_some(appends, *, tag, **_how):
        left = count
        at = 0
        for append in appends:
            some = append.records[:left]
            if some:
                own = list(range(at, at + len(some)))
                part = append._replace(records=some, keys=append.keys[:left])
                engine.append_tagged([part], tag=tag, places=own)
            left -= len(some)
            at += len(append.records)
        raise Died

    monkeypatch.setattr(engine, "append_tagged_async", send_some)


@pytest.mark.parametrize("count", [0, 5, 12])
@pytest.mark.parametrize("targets", [["postgres"], ["postgres", "kafka-main"]], ids="-".join)
def test_what_died_before_a_move_is_completed_after_it_once(shop, orders, engine, monkeypatch, count, targets):
    with monkeypatch.context() as patch:
        die_after(patch, engine, count)
        with pytest.raises(Died):
            shop.post("/streams/orders/events", BODY, Idempotency_Key="once")
    for target in targets:
        move(target)
    early = shop.post("/streams/orders/events", BODY, Idempotency_Key="once")
    assert (early.status_code, early.json()["code"]) == (409, "idempotency_in_progress")
    let_time_pass()
    answer = shop.post("/streams/orders/events", BODY, Idempotency_Key="once")
    assert answer.status_code == 202, answer.content
    told = {
        sent["payload"]: (each["partition"], each["offset"])
        for sent, each in zip(BODY, answer.json()["events"], strict=True)
    }
    assert read_all(shop) == told
    again = shop.post("/streams/orders/events", BODY, Idempotency_Key="once")
    assert (again["Idempotent-Replayed"], again.content) == ("true", answer.content)
    assert read_all(shop) == told
    assert not UnfinishedAppend.objects.exists()


def test_two_tries_that_meet_in_postgres_complete_it_once(shop, orders, engine, monkeypatch):
    """The first one is thought to be dead, and goes on after the second has taken over."""
    with monkeypatch.context() as patch:
        die_after(patch, engine, 4)
        with pytest.raises(Died):
            shop.post("/streams/orders/events", BODY, Idempotency_Key="once")
    move("postgres")
    let_time_pass()
    taken_over = receipts._take_over

    def with_another_before(receipt, started):
        claim = taken_over(receipt, started)
        monkeypatch.setattr(receipts, "_take_over", taken_over)
        let_time_pass()
        answers.append(shop.post("/streams/orders/events", BODY, Idempotency_Key="once"))
        return claim

    answers = []
    monkeypatch.setattr(receipts, "_take_over", with_another_before)
    answers.append(shop.post("/streams/orders/events", BODY, Idempotency_Key="once"))
    assert [each.status_code for each in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert len(read_all(shop)) == len(BODY)


def test_a_worker_that_thinks_the_stream_still_lies_there_goes_on_behind(shop, orders, engine):
    shop.post("/streams/orders/events", BODY[:6])
    # It remembers the stream for a second; nothing is forgotten here.
    before = load_stream("orders")
    move("postgres")
    from streams.log import get_log
    from streams.log.protocol import PartitionAppend

    record = (
        b'{"id":"%s","type":"t","key":null,"occurred_at":null,"headers":{},"payload":"late"}' % str(uuid4()).encode()
    )
    stored = get_log().append([PartitionAppend(before.partitions[0], [record])]).ranges[0]
    assert read_all(shop)["late"] == (0, stored.last_offset)
    ended = Epoch.objects.get(partition_id=before.partitions[0].id, last_offset__isnull=False)
    assert stored.first_offset > ended.last_offset
