"""No engine but PostgreSQL is asked while a transaction is open, whoever asks; the engine of these tests refuses to be.

An `Idempotency-Key` keeps its promise all the same: the work is done once, with what is true now and not last seen.
"""

import asyncio
import threading
from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from accounts.asked_before import AskedInTransaction
from accounts.database_threads import in_database_thread, lend_database_threads
from accounts.roles import Role
from consumers.models import ConsumerGroup, GroupOffset
from streams.log import get_log, in_log_thread
from streams.log.protocol import PartitionAppend
from streams.lookup import load_stream
from streams.models import Stream
from streams.services.foreign_ends import look_at_ends
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_user


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    assert client.post("/streams", {"name": "orders", "engine": "distant", "partitions": 2}).status_code == 201
    sent = [{"key": key, "payload": n} for n, key in enumerate("abcdefgh")]
    assert client.post("/streams/orders/events", sent).status_code == 202
    return client


def heads():
    info = load_stream("orders")
    return {each.number: get_log().bounds([each])[each.id].head_offset for each in info.partitions}


def committed(group):
    rows = GroupOffset.objects.filter(group__name=group).values_list("partition__number", "committed_offset")
    return dict(rows)


GROUPS = "/streams/orders/consumer-groups"


def test_a_group_that_begins_at_the_end_begins_at_the_end_there_is_now(shop):
    # Nothing of these events has been seen by a tick.
    made = shop.post(GROUPS, {"name": "g", "start": "latest"}, Idempotency_Key="k")
    assert made.status_code == 201, made.content
    assert committed("g") == heads()


def test_every_post_that_remembers_its_answer_asks_before_its_transaction(shop, distant):
    shop.post(GROUPS, {"name": "g", "start": "latest"}, Idempotency_Key="make")
    number = next(each for each, head in heads().items() if head >= 2)
    for path, body in (
        ("/offsets", {"offsets": [{"partition": number, "offset": heads()[number]}]}),
        ("/seek", {"to": "earliest"}),
        ("/seek", {"to": {"offset": 1}, "partition": number}),
        ("/seek", {"to": {"timestamp": datetime(2020, 1, 1, tzinfo=UTC).isoformat()}}),
        ("/seek", {"to": "latest", "dry_run": True}),
        ("/dead-letters", {"partition": number, "offset": 1, "error": "no"}),
        ("/acknowledge-loss", {"lost_total": 0}),
    ):
        answers = [
            shop.post(f"{GROUPS}/g{path}", body, Idempotency_Key=f"{path}{body}".replace(" ", "").encode().hex()[-60:])
            for _ in range(2)
        ]
        assert [each.status_code for each in answers] in ([200, 200], [201, 201]), (path, answers[0].content)
        assert answers[1]["Idempotent-Replayed"] == "true", path
        assert answers[0].json() == answers[1].json()


def test_a_replay_asks_nobody(shop, distant):
    for _ in range(2):
        answer = shop.post(GROUPS, {"name": "g"}, Idempotency_Key="k")
        assert answer.status_code == 201
        distant.weather.calls.clear()
        distant.weather.is_away = True
    assert distant.weather.calls == []


def test_an_engine_that_is_away_leaves_no_memory(shop, distant):
    distant.weather.is_away = True
    refused = shop.post(GROUPS, {"name": "g", "start": "latest"}, Idempotency_Key="k")
    assert (refused.status_code, refused.json()["code"]) == (503, "engine_unavailable")
    assert not ConsumerGroup.objects.exists()
    distant.weather.is_away = False
    assert shop.post(GROUPS, {"name": "g", "start": "latest"}, Idempotency_Key="k").status_code == 201


def test_whoever_asks_inside_a_transaction_is_told_that_it_is_a_fault(shop):
    (partition, _) = load_stream("orders").partitions
    log = get_log()
    with transaction.atomic():
        for ask in (
            lambda: log.read(partition, after=0, max_events=1, max_bytes=1),
            lambda: log.bounds([partition]),
            lambda: log.offset_at(partition, datetime.now(UTC)),
            lambda: log.recorded_after([(partition, 0)]),
            lambda: log.foresee_trim([partition]),
            lambda: log.trim(partition, keep_events=1),
            lambda: log.append([PartitionAppend(partition, [b'{"id":"a","payload":1}'])]),
            lambda: log.drop([partition]),
            lambda: log.ensure([partition]),
            lambda: log.look_at_topics("distant", ["orders"]),
            lambda: log.stored_heads("distant", [partition]),
        ):
            with pytest.raises(AskedInTransaction):
                ask()


def test_the_admin_changes_what_it_may_and_leaves_retention_to_the_page_that_asks(shop, distant):
    admin = Client()
    admin.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")
    look_at_ends()
    stream = Stream.objects.get()
    address = reverse("admin:streams_stream_change", args=[stream.pk])
    data = {"owner": stream.owner_id, "visibility": "internal", "labels": "{}", "validation": "off"}
    data |= {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}
    refused = admin.post(address, data | {"retention_max_events": "1"})
    assert refused.status_code == 200
    assert "lie in distant" in refused.content.decode()
    assert admin.post(address, data | {"description": "all orders", "is_paused": "on"}).status_code == 302
    stream.refresh_from_db()
    assert (stream.description, stream.is_paused, stream.retention_max_events) == ("all orders", True, None)


def test_reads_of_an_engine_that_hangs_hold_no_thread_that_the_database_is_asked_with(shop):
    (partition, _) = load_stream("orders").partitions
    hangs, is_over = threading.Semaphore(0), threading.Event()

    def hang():
        hangs.release()
        is_over.wait(30)

    async def serve():
        lend_database_threads(1)
        reads = [asyncio.ensure_future(in_log_thread([partition], hang)) for _ in range(3)]
        for _ in reads:
            await asyncio.to_thread(hangs.acquire)
        try:
            return await in_database_thread(Stream.objects.count)
        finally:
            is_over.set()
            await asyncio.gather(*reads)

    assert asyncio.run(serve()) == 1
