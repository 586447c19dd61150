"""Receipts of appends to an engine that keeps none: however often a request is tried, its events are stored once."""

from datetime import timedelta
from threading import Event

import pytest
from django.db import DatabaseError
from django.utils import timezone

from accounts.models import IdempotencyRecord
from streams.conf import PENDING_SECONDS
from streams.errors import PlaceFenced
from streams.log import SIGHTINGS, breaker, current_epochs
from streams.models import UnfinishedAppend
from streams.services import receipts
from tests.client import ApiClient
from tests.factories import make_key, make_owner
from tests.threads import Work

EVENTS = [{"key": "a", "payload": n} for n in range(4)]


@pytest.fixture
def shop(distant):
    client = ApiClient(key=make_key(make_owner()))
    assert client.post("/streams", {"name": "orders", "engine": "distant"}).status_code == 201
    return client


def append(shop, events=EVENTS, key="k"):
    return shop.post("/streams/orders/events", events, Idempotency_Key=key)


def stored(shop):
    return [each["payload"] for each in shop.get("/streams/orders/events", last_offset=0).json()]


def code_of(answer):
    return answer.status_code, answer.json()["code"]


def let_time_pass():
    """Let the last try be so long ago that another may take over."""
    UnfinishedAppend.objects.update(tried_at=timezone.now() - timedelta(seconds=PENDING_SECONDS + 1))


def test_a_retry_is_answered_from_memory(shop):
    first, again = append(shop), append(shop)
    assert (first.status_code, again.status_code, again["Idempotent-Replayed"]) == (202, 202, "true")
    assert first.content == again.content
    assert stored(shop) == [0, 1, 2, 3]
    assert not UnfinishedAppend.objects.exists()


def test_another_request_with_its_key_is_refused(shop):
    append(shop)
    assert code_of(append(shop, EVENTS[:1])) == (422, "idempotency_key_reused")
    assert stored(shop) == [0, 1, 2, 3]


@pytest.mark.parametrize("count", range(5))
def test_of_a_try_that_ended_half_way_a_late_retry_sends_the_rest(shop, distant, count):
    distant.weather.stored_before_it_failed = count
    assert code_of(append(shop)) == (503, "outcome_unknown")
    distant.weather.stored_before_it_failed = None
    assert code_of(append(shop)) == (409, "idempotency_in_progress")
    assert append(shop, [{"payload": "another's"}], key="other").status_code == 202
    let_time_pass()

    answer = append(shop)

    assert answer.status_code == 202, answer.content
    came = shop.get("/streams/orders/events", last_offset=0).json()
    assert sorted(each["payload"] for each in came if each["payload"] != "another's") == [0, 1, 2, 3]
    offsets = {each["id"]: each["offset"] for each in came}
    told = [each["offset"] for each in answer.json()["events"]]
    assert told == [offset for offset in offsets.values() if came[offset - 1]["payload"] != "another's"]
    assert append(shop).content == answer.content


def test_a_server_whose_clock_is_ahead_takes_over_nothing_that_may_be_under_way(shop, distant, monkeypatch):
    distant.weather.stored_before_it_failed = 2
    assert code_of(append(shop)) == (503, "outcome_unknown")
    distant.weather.stored_before_it_failed = None
    right_time = timezone.now
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: right_time() + timedelta(seconds=PENDING_SECONDS + 1))
        assert code_of(append(shop)) == (409, "idempotency_in_progress")
    let_time_pass()
    assert append(shop).status_code == 202


def test_what_the_answer_tells_of_ids_is_where_they_are(shop, distant):
    distant.weather.stored_before_it_failed = 2
    named = [{**each, "id": f"event-{number}"} for number, each in enumerate(EVENTS)]
    append(shop, named)
    distant.weather.stored_before_it_failed = None
    let_time_pass()
    told = {each["id"]: each["offset"] for each in append(shop, named).json()["events"]}
    assert told == {each["id"]: each["offset"] for each in shop.get("/streams/orders/events", last_offset=0).json()}


def test_what_was_certainly_not_stored_frees_the_key(shop, distant):
    distant.weather.refuses = True
    refused = append(shop)
    assert (code_of(refused), refused["EventFlow-Stored"]) == ((503, "not_stored"), "no")
    assert not IdempotencyRecord.objects.filter(key="k").exists()
    distant.weather.refuses = False
    assert append(shop).status_code == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_an_engine_that_is_away_frees_the_key_unless_an_earlier_try_may_be_there(shop, distant, monkeypatch):
    monkeypatch.setattr(breaker, "BREAKER_FAILURES", 99)
    distant.weather.is_away = True
    assert code_of(append(shop)) == (503, "engine_unavailable")
    distant.weather.is_away = False
    distant.weather.stored_before_it_failed = 1
    assert code_of(append(shop)) == (503, "outcome_unknown")
    distant.weather.is_away = True
    let_time_pass()
    away = append(shop)
    assert code_of(away) == (503, "outcome_unknown")
    assert "EventFlow-Stored" not in away.headers
    distant.weather.is_away, distant.weather.stored_before_it_failed = False, None
    let_time_pass()
    assert append(shop).status_code == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_a_process_that_dies_before_it_sends_leaves_a_key_that_a_retry_completes(shop, distant, monkeypatch):
    class Killed(BaseException):
        pass

    async def die(*_args, **_more):
        raise Killed

    monkeypatch.setattr(distant, "append_tagged_async", die)
    with pytest.raises(Killed):
        append(shop)
    monkeypatch.undo()
    assert code_of(append(shop)) == (409, "idempotency_in_progress")
    let_time_pass()
    assert append(shop).status_code == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_a_process_that_dies_after_all_was_stored_leaves_a_key_that_a_retry_completes(shop, distant, monkeypatch):
    def fail(*_args):
        raise DatabaseError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(receipts, "_complete", fail)
        assert code_of(append(shop)) == (503, "outcome_unknown")
    # Counters that know of these events must not hide them from the retry: it looks from where they stood before.
    SIGHTINGS.write()
    let_time_pass()
    answer = append(shop)
    assert [each["offset"] for each in answer.json()["events"]] == [1, 2, 3, 4]
    assert stored(shop) == [0, 1, 2, 3]


@pytest.mark.parametrize("fails", ["the first", "a later"])
def test_a_try_that_fails_in_a_way_that_nobody_thought_of_leaves_a_key_that_a_retry_completes(
    shop, distant, monkeypatch, fails
):
    if fails == "a later":
        distant.weather.stored_before_it_failed = 2
        append(shop)
        distant.weather.stored_before_it_failed = None
        let_time_pass()
    send = distant.append_tagged

    def store_and_fail(*args, **more):
        send(*args, **more)
        raise RuntimeError("nobody thought of this")

    with monkeypatch.context() as patch:
        patch.setattr(distant, "append_tagged", store_and_fail)
        assert append(shop).status_code == 500
    let_time_pass()
    assert append(shop).status_code == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_where_a_database_that_is_away_keeps_a_try_from_going_on_after_a_move_nobody_knows(shop, distant, monkeypatch):
    send = distant.append_tagged

    def store_and_be_fenced(*args, **more):
        send(*args, **more)
        raise PlaceFenced([()], [0])

    def fail(*_args, **_more):
        raise DatabaseError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(distant, "append_tagged", store_and_be_fenced)
        patch.setattr(current_epochs, "run", fail)
        assert code_of(append(shop)) == (503, "outcome_unknown")
    let_time_pass()
    assert append(shop).status_code == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_of_two_late_retries_one_goes_on(shop, distant, monkeypatch):
    distant.weather.stored_before_it_failed = 1
    append(shop)
    distant.weather.stored_before_it_failed = None
    let_time_pass()
    has_come, may_go = Event(), Event()
    send = distant.append_tagged

    def send_slowly(*args, **more):
        has_come.set()
        assert may_go.wait(20)
        return send(*args, **more)

    monkeypatch.setattr(distant, "append_tagged", send_slowly)
    slow = Work(lambda: append(shop).status_code)
    assert has_come.wait(20)
    assert code_of(append(shop)) == (409, "idempotency_in_progress")
    may_go.set()
    assert slow.result(20) == 202
    assert stored(shop) == [0, 1, 2, 3]


def test_a_claim_that_is_too_old_to_send_on_sends_nothing(shop, distant, monkeypatch):
    monkeypatch.setattr(receipts, "SEND_WITHIN_SECONDS", -1)
    assert code_of(append(shop)) == (503, "outcome_unknown")
    assert stored(shop) == []


def test_the_key_of_a_stream_that_was_made_anew_says_so(shop):
    append(shop)
    shop.delete("/streams/orders?confirm=orders")
    shop.post("/streams", {"name": "orders", "engine": "distant"})
    assert code_of(append(shop)) == (409, "stream_recreated")
    assert stored(shop) == []


def test_a_key_that_is_pending_is_refused_wherever_else_it_comes(shop, distant):
    distant.weather.stored_before_it_failed = 1
    append(shop)
    for answer in (
        shop.post("/streams", {"name": "here"}, Idempotency_Key="k"),
        shop.post("/streams/orders/consumer-groups", {"name": "g"}, Idempotency_Key="k"),
    ):
        assert code_of(answer) == (422, "idempotency_key_reused")
    shop.post("/streams", {"name": "here"})
    assert code_of(shop.post("/streams/here/events", EVENTS, Idempotency_Key="k")) == (422, "idempotency_key_reused")
