"""A key that goes on asking although it was refused is refused again for next to nothing, and loses nothing by it."""

import asyncio
import json
from typing import Any

import pytest

from eventflow_site.front import shedding as shedding_module
from eventflow_site.front.door import Door
from eventflow_site.front.exchange import Answer
from eventflow_site.front.shedding import REPEAT_SECONDS, Shedding
from tests.site.test_hot_lane import Exchange

KEY = "evf_live_one"
PATH = "/api/v1/streams/orders/events"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def asked(path: str = PATH, **headers: str) -> Any:
    return Exchange("POST", path, b"{}", **headers)


def refusal(bucket: str = "requests", status: int = 429) -> Answer:
    body = json.dumps({"code": "rate_limited", "bucket": bucket, "request_id": "the-first"}, separators=(",", ":"))
    return Answer(status, [("Retry-After", "1"), ("X-Request-Id", "the-first")], body.encode())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shedding(clock) -> Shedding:
    return Shedding(clock)


def test_the_refusal_is_repeated_with_an_id_of_its_own(shedding):
    assert shedding.repeat_refusal(asked(x_api_key=KEY)) is None
    shedding.note_answer(asked(x_api_key=KEY), refusal())
    ids = set()
    for path in (PATH, PATH, "/api/v1/streams"):
        repeated = shedding.repeat_refusal(asked(path, x_api_key=KEY))
        assert repeated is not None
        headers = dict(repeated.headers)
        assert (repeated.status, headers["Retry-After"]) == (429, "1")
        assert json.loads(repeated.content)["request_id"] == headers["X-Request-Id"]
        ids.add(headers["X-Request-Id"])
    assert len(ids) == 3
    assert "the-first" not in ids


@pytest.mark.parametrize("first", ["the-first", "requests", "rate_limited"])
def test_the_id_that_a_request_brings_is_its_own(shedding, first):
    body = json.dumps({"code": "rate_limited", "bucket": "requests", "request_id": first}, separators=(",", ":"))
    told = Answer(429, [("X-Request-Id", first)], body.encode())
    shedding.note_answer(asked(x_api_key=KEY), told)
    repeated = shedding.repeat_refusal(asked(x_api_key=KEY, x_request_id="my-own-id"))
    assert dict(repeated.headers)["X-Request-Id"] == "my-own-id"
    assert json.loads(repeated.content) == {"code": "rate_limited", "bucket": "requests", "request_id": "my-own-id"}
    replaced = shedding.repeat_refusal(asked(x_api_key=KEY, x_request_id="no id"))
    assert len(dict(replaced.headers)["X-Request-Id"]) == 36


def test_soon_its_requests_are_looked_at_again(shedding, clock):
    shedding.note_answer(asked(x_api_key=KEY), refusal())
    clock.now = REPEAT_SECONDS
    assert shedding.repeat_refusal(asked(x_api_key=KEY)) is None


@pytest.mark.parametrize(
    "other",
    [
        asked(x_api_key="evf_live_two"),
        asked(),
        asked("/healthz", x_api_key=KEY),
        asked(x_api_key=KEY, authorization="Bearer x"),
        asked(authorization=KEY),
    ],
    ids=["another key", "no key", "no API", "ambiguous", "no key but a token"],
)
def test_nobody_else_is_refused(shedding, other):
    shedding.note_answer(asked(x_api_key=KEY), refusal())
    assert shedding.repeat_refusal(other) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (refusal("waiting"), "what may be had again at any moment"),
        (refusal("events"), "it may read as before"),
        (refusal(status=422), "another problem"),
        (Answer(429, [], b'{"bucket":"requests"}'), "nothing tells it from the next"),
    ],
)
def test_no_other_answer_is_repeated(shedding, answer, why):
    shedding.note_answer(asked(x_api_key=KEY), answer)
    assert shedding.repeat_refusal(asked(x_api_key=KEY)) is None, why


def test_what_was_refused_unlooked_at_is_counted_and_logged_as_one(shedding, clock, caplog):
    caplog.set_level("INFO", "eventflow.limits")
    shedding.note_answer(asked(x_api_key=KEY), refusal())
    for _ in range(5):
        shedding.repeat_refusal(asked(x_api_key=KEY))
    clock.now = REPEAT_SECONDS
    shedding.repeat_refusal(asked(x_api_key=KEY))
    (line,) = [record.getMessage() for record in caplog.records if record.name == "eventflow.limits"]
    assert line.startswith("5 more requests")
    assert KEY not in line


def test_what_is_repeated_is_held_back_for_a_moment_as_long_as_there_is_room(shedding, monkeypatch):
    monkeypatch.setattr(shedding_module, "HELD_BACK_SECONDS", (60.0, 60.0))
    monkeypatch.setattr(shedding_module, "MAX_HELD_BACK", 3)

    async def held_back_of(number: int) -> list[bool]:
        waits = [asyncio.ensure_future(shedding.hold_back()) for _ in range(number)]
        for _ in range(5):
            await asyncio.sleep(0)
        held = [not wait.done() for wait in waits]
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        return held

    assert asyncio.run(held_back_of(5)) == [True, True, True, False, False]
    assert asyncio.run(held_back_of(1)) == [True], "those who went make room"


def test_the_door_holds_back_what_it_repeats(monkeypatch):
    monkeypatch.setattr(shedding_module, "HELD_BACK_SECONDS", (60.0, 60.0))
    door = Door.__new__(Door)
    door._shedding = Shedding()
    door._shedding.note_answer(asked(x_api_key=KEY), refusal())

    async def is_answered() -> bool:
        answer = asyncio.ensure_future(door.answer(asked(x_api_key=KEY)))
        for _ in range(5):
            await asyncio.sleep(0)
        answered = answer.done()
        answer.cancel()
        await asyncio.gather(answer, return_exceptions=True)
        return answered

    assert not asyncio.run(is_answered())
