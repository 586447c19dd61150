"""What an HTTP answer says, in the words that the history keeps."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
import orjson

from tests.faults.ask import Ask, Reply
from tests.faults.contract import DURABLE, outcome_of
from tests.faults.events import Event, recognise, recorded_of, runs_of


class _Delivery(msgspec.Struct):
    delivery_id: int
    lease_token: str
    partition: int
    first_offset: int
    last_offset: int
    delivery_count: int
    failure_count: int
    round: int
    dead_letter_id: int | None
    expires_at: datetime
    events: list[Event]


class _Leased(msgspec.Struct):
    deliveries: list[_Delivery]


class _Redrive(msgspec.Struct):
    round: int
    outcome: str


class _Letter(msgspec.Struct):
    id: int
    stream: str
    group: str
    partition: int
    offset: int
    round: int
    status: str
    reason: str
    delivery_count: int
    failure_count: int
    last_error: str
    attempts: list[dict[str, Any]]
    redrives: list[_Redrive]
    event: Event | None


_events = msgspec.json.Decoder(list[Event])
_leased = msgspec.json.Decoder(_Leased)
_letter = msgspec.json.Decoder(_Letter)
_JSON: Final = ("application/json", "application/problem+json")


def read_answer(ask: Ask, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return what an actor is told."""
    got: dict[str, Any] = {}
    code = ""
    kind = (headers.get("Content-Type") or "").partition(";")[0]
    if kind not in _JSON and body:
        got["page"] = f"{kind} {body[:80]!r}"
    elif status >= 400 and body:
        code = got["code"] = orjson.loads(body).get("code", "")
    outcome = outcome_of(status, code=code, headers=headers)
    if outcome == DURABLE and ask.kind in _READERS and "page" not in got:
        got |= _READERS[ask.kind](ask, headers, body)
    if code == "lease_lost":
        got["results"] = {str(item["id"]): "lease_lost" for item in ask.sent["items"]}
    return Reply(status, outcome, got, headers.get("X-Request-Id") or "")


def _append(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    told = orjson.loads(body)
    replayed = headers.get("Idempotent-Replayed") == "true"
    if "ranges" in told:
        ranges = [[each["partition"], each["first_offset"], each["last_offset"]] for each in told["ranges"]]
        return {"ranges": ranges, "replayed": replayed}
    events = told.get("events", [told])
    return {"places": [[each["partition"], each["offset"]] for each in events], "replayed": replayed}


def _poll(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given = _events.decode(body)
    events = [(event.partition, event.offset, recognise(event)) for event in given]
    only = str(ask.sent.get("partition", 0))
    gaps = _by_partition(headers.get("EventFlow-Gap"), only)
    return {
        "recorded": recorded_of(given),
        "runs": runs_of(events),
        "next": {number: int(text) for number, text in _by_partition(headers["EventFlow-Next-Offset"], only).items()},
        "head": {number: int(text) for number, text in _by_partition(headers["EventFlow-Head-Offset"], only).items()},
        "gaps": {number: [int(part) for part in text.split("-")] for number, text in gaps.items()},
    }


def _by_partition(text: str | None, only: str) -> dict[str, str]:
    """`18` is of the one partition that was read, `0=18,1=7` of several."""
    if not text:
        return {}
    if "=" not in text:
        return {only: text}
    return dict(part.split("=", 1) for part in text.split(","))


def _lease(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    given = _leased.decode(body).deliveries
    return {
        "recorded": recorded_of(event for each in given for event in each.events),
        "deliveries": [
            {
                "id": each.delivery_id,
                "token": each.lease_token,
                "partition": each.partition,
                "first": each.first_offset,
                "last": each.last_offset,
                "count": each.delivery_count,
                "failures": each.failure_count,
                "round": each.round,
                "letter": each.dead_letter_id,
                "expires": each.expires_at.timestamp(),
                "names": " ".join(_names_in_place(each)),
            }
            for each in given
        ],
    }


def _names_in_place(delivery: _Delivery) -> list[str]:
    """The events' names; one that does not stand at its offset is not what was leased."""
    return [
        recognise(event) if (event.partition, event.offset) == (delivery.partition, offset) else f"?at-{event.offset}"
        for offset, event in enumerate(delivery.events, delivery.first_offset)
    ]


def _settle(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    told = orjson.loads(body)["data"]
    expires = {
        str(each["delivery_id"]): datetime.fromisoformat(each["expires_at"]).timestamp()
        for each in told
        if each["expires_at"]
    }
    return {
        "results": {str(each["delivery_id"]): each["result"] for each in told},
        "repeated": [each["delivery_id"] for each in told if each["repeated"]],
        "expires": expires,
    }


def _commit(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    told = orjson.loads(body)["data"]
    return {
        "standing": {str(each["partition"]): each["committed_offset"] for each in told},
        "status": {str(each["partition"]): each["status"] for each in told},
    }


def _offsets(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    told = orjson.loads(body)["data"]
    return {
        "committed": {str(each["partition"]): each["committed_offset"] for each in told},
        "head": {str(each["partition"]): each["head_offset"] for each in told},
    }


def _read_letters(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    told = orjson.loads(body)
    kept = ("id", "stream", "group", "partition", "offset", "round", "status")
    return {"letters": [{name: each[name] for name in kept} for each in told["data"]], "next": told["next"]}


def _read_letter(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    letter = _letter.decode(body)
    kept = ("id", "stream", "group", "partition", "offset", "round", "status", "reason")
    return {name: getattr(letter, name) for name in kept} | {
        "count": letter.delivery_count,
        "failures": letter.failure_count,
        "error": letter.last_error[:80],
        "attempts": len(letter.attempts),
        "redrives": [{"round": each.round, "outcome": each.outcome} for each in letter.redrives],
        "name": recognise(letter.event) if letter.event is not None else None,
    }


def _report(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    return {"letter": orjson.loads(body)["id"]}


def _deliveries(ask: Ask, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    return {"count": len(orjson.loads(body)["data"])}


_READERS: Final[dict[str, Callable[[Ask, Mapping[str, str], bytes], dict[str, Any]]]] = {
    "append": _append,
    "poll": _poll,
    "lease": _lease,
    **dict.fromkeys(("ack", "nack", "extend", "release"), _settle),
    "commit": _commit,
    "offsets": _offsets,
    "letters": _read_letters,
    "letter": _read_letter,
    "report": _report,
    "deliveries": _deliveries,
}
