"""Asks as HTTP requests, and answers as the history keeps them."""

import json

import pytest

from tests.faults.ask import Ask
from tests.faults.contract import DURABLE, REFUSED
from tests.faults.events import Times, envelope_of, key_of, names_of, payload_of, times_of, type_of
from tests.faults.live.answers import read_answer
from tests.faults.live.client import _half
from tests.faults.live.wire import TOO_LONG_BYTES, TOO_MANY, to_http

JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}

NAMES = names_of("p0-1", 30)


def appended(**sent: object) -> Ask:
    return Ask("append", "many", sent={"base": "p0-1", "count": 3, "form": "batch", **sent})


def test_a_batch_has_its_events_in_order_and_its_key():
    request = to_http(appended(key="k-1"))
    assert request.headers["Idempotency-Key"] == "k-1"
    assert [each["payload"]["name"] for each in json.loads(request.body)] == ["p0-1.0", "p0-1.1", "p0-1.2"]


@pytest.mark.parametrize(("flaw", "spoilt"), [("unknown field", {"bogus": 1}), ("bad type", {"type": 7})])
def test_a_flaw_spoils_the_middle_event_alone(flaw, spoilt):
    first, middle, last = json.loads(to_http(appended(flaw=flaw)).body)
    assert spoilt.items() <= middle.items()
    assert not spoilt.items() <= first.items() and not spoilt.items() <= last.items()


def test_too_many_events_are_really_sent_and_too_long_a_body_is_only_announced():
    assert len(json.loads(to_http(appended(flaw="too many")).body)) == TOO_MANY
    request = to_http(appended(flaw="too long"))
    assert request.length == TOO_LONG_BYTES
    assert len(request.body) < 1_000_000


def test_a_poll_names_each_partition_that_it_reads():
    ask = Ask("poll", "many", sent={"after": {"1": 7, "0": 3}, "limit": 5, "max_bytes": 9, "wait": 0.5})
    assert to_http(ask).path.endswith("/streams/many/events?limit=5&max_bytes=9&wait=0.5&last_offset=0=3,1=7")


def test_a_body_is_cut_where_what_was_sent_could_pass_for_the_whole():
    body = b"".join(envelope_of(f"p0-1.{index}") + b"\n" for index in range(4))
    assert body[: _half(body)].endswith(b"}\n")
    assert _half(body) < len(body)


def event(name: str, offset: int) -> bytes:
    key = json.dumps(key_of(name))
    head = f'{{"partition":2,"offset":{offset},"recorded_at":"2026-11-22T10:00:00.25Z","type":"{type_of(name)}","key":{key}'
    times = times_of(name)
    head += f',"deliver_after":{times.later}' if times.later is not None else ""
    head += f',"expires_after":{times.lifetime}' if times.lifetime is not None else ""
    return f'{head},"payload":'.encode() + payload_of(name) + b"}"


def test_a_poll_is_kept_as_runs():
    headers = {**JSON, "EventFlow-Next-Offset": "9", "EventFlow-Head-Offset": "12", "EventFlow-Gap": "3-7"}
    ask = Ask("poll", "many", sent={"after": {"2": 2}, "partition": 2})
    plain, timed = (next(n for n in NAMES if (times_of(n) == Times()) is is_plain) for is_plain in (True, False))
    reply = read_answer(ask, 200, headers, b"[%b,%b]" % (event(plain, 8), event(timed, 9)))
    assert reply.outcome == DURABLE
    assert reply.got == {
        "runs": [[2, 8, f"{plain} {timed}"]],
        "next": {"2": 9},
        "head": {"2": 12},
        "gaps": {"2": [3, 7]},
        # Of events that are for later or expire.
        "recorded": [[2, 9, 1795341600.25]],
    }


def test_leases_that_were_all_lost_are_each_told_so():
    ask = Ask("ack", "many", "many-lease", {"items": [{"id": 5, "token": "t"}]})
    reply = read_answer(ask, 409, PROBLEM, b'{"code":"lease_lost"}')
    assert reply.outcome == REFUSED
    assert reply.got["results"] == {"5": "lease_lost"}


def test_a_page_is_kept_as_one():
    assert "page" in read_answer(Ask("healthz"), 500, {"Content-Type": "text/html"}, b"<h1>oh").got
