"""The API's own form of what actors ask for: an ask as an HTTP request."""

import zlib
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import orjson

from tests.faults.ask import Ask
from tests.faults.events import envelope_of, names_of, payload_of

API: Final = "/api/v1"
TOO_MANY: Final = 1001
# What `too long` announces; so much is never sent.
TOO_LONG_BYTES: Final = 10_000_000_000
_FILLER: Final = b'{"stream":"STREAM","payload":"filler"}'


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """`length`: what Content-Length announces, where that is not the body's."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


def to_http(ask: Ask) -> HttpRequest:
    """Return the request that means what was asked."""
    form = _FORMS.get(ask.kind)
    if form is not None:
        return form(ask)
    if ask.kind in ("healthz", "readyz"):
        return HttpRequest("GET", f"/{ask.kind}")
    return _settle(ask)


def _group(ask: Ask) -> str:
    return f"{API}/streams/{ask.stream}/consumer-groups/{ask.group}"


def _post(path: str, body: Any, **headers: str) -> HttpRequest:
    return HttpRequest("POST", path, orjson.dumps(body), {"Content-Type": "application/json", **headers})


def _append(ask: Ask) -> HttpRequest:
    sent = ask.sent
    events = [envelope_of(name, has_id="by_id" in sent) for name in names_of(sent["base"], sent["count"])]
    # Either address will do, the same for each retry.
    is_short = zlib.crc32(sent["base"].encode()) % 2 == 0
    if is_short:
        events = [b'{"stream":"%b",%b' % (ask.stream.encode(), event[1:]) for event in events]
    headers = {"Content-Type": "application/x-ndjson" if sent["form"] == "ndjson" else "application/json"}
    if "key" in sent:
        headers["Idempotency-Key"] = sent["key"]
    if sent["form"] == "minimal":
        headers["Prefer"] = "return=minimal"
    path = f"{API}/events" if is_short else f"{API}/streams/{ask.stream}/events"
    return HttpRequest(
        "POST",
        path,
        _body(sent, ask.stream, events),
        headers,
        TOO_LONG_BYTES if sent.get("flaw") == "too long" else None,
    )


def _body(sent: dict[str, Any], stream: str, events: list[bytes]) -> bytes:
    middle = len(events) // 2
    match sent.get("flaw"):
        case "unknown field":
            events[middle] = b'{"bogus":1,' + events[middle][1:]
        case "bad type":
            events[middle] = b'{"type":7,' + events[middle].partition(b",")[2]
        case "too many":
            events += [_FILLER.replace(b"STREAM", stream.encode())] * (TOO_MANY - len(events))
    if sent["form"] == "single":
        return events[0]
    return b"\n".join(events) + b"\n" if sent["form"] == "ndjson" else b"[" + b",".join(events) + b"]"


def _poll(ask: Ask) -> HttpRequest:
    sent, after = ask.sent, ask.sent["after"]
    query: dict[str, Any] = {"limit": sent["limit"], "max_bytes": sent["max_bytes"], "wait": sent["wait"]}
    if ask.group:
        query["consumer_group_id"] = ask.group
    if "partition" in sent:
        query["partition"] = sent["partition"]
    if after != "committed":
        vector = ",".join(f"{number}={after[number]}" for number in sorted(after, key=int))
        query["last_offset"] = next(iter(after.values())) if len(after) == 1 else vector
    return HttpRequest("GET", f"{API}/streams/{ask.stream}/events?{urlencode(query, safe=',=')}")


def _lease(ask: Ask) -> HttpRequest:
    sent = ask.sent
    body = {"max_events": sent["max"], "wait": sent["wait"], "consumer": sent["consumer"], "ack_wait": sent["ack_wait"]}
    return _post(f"{_group(ask)}/lease", body)


def _settle(ask: Ask) -> HttpRequest:
    """Ack, nack, extend and release."""
    deliveries: list[dict[str, Any]] = []
    for item in ask.sent["items"]:
        delivery = {"delivery_id": item["id"], "lease_token": item["token"]}
        if item.get("failed"):
            delivery["failed"] = [
                {"offset": offset, "error": f"cannot do {offset}", "delay": delay, "terminal": terminal}
                for offset, delay, terminal in item["failed"]
            ]
        if ask.kind == "nack":
            delivery |= {
                "error": "cannot do it",
                "delay": ask.sent.get("delay"),
                "terminal": ask.sent.get("terminal", False),
            }
        deliveries.append(delivery)
    return _post(f"{_group(ask)}/{ask.kind}", {"deliveries": deliveries})


def _commit(ask: Ask) -> HttpRequest:
    offsets = [{"partition": int(number), "offset": offset} for number, offset in ask.sent["offsets"].items()]
    return _post(f"{_group(ask)}/offsets", {"offsets": offsets})


def _letters(ask: Ask) -> HttpRequest:
    query = {"limit": 250} | {name: ask.sent[name] for name in ("status", "cursor") if name in ask.sent}
    if ask.group:
        query |= {"stream": ask.stream, "group": ask.group}
    return HttpRequest("GET", f"{API}/dead-letters?{urlencode(query)}")


def _click(ask: Ask) -> HttpRequest:
    """Redrive or discard."""
    headers = {"Idempotency-Key": ask.sent["key"]} if "key" in ask.sent else {}
    body = b"{}"
    if "edited" in ask.sent:
        # As bytes: a parse would round the numbers.
        body = b'{"payload":%b}' % payload_of(ask.sent["edited"], is_edited=True)
    path = f"{API}/dead-letters/{ask.sent['letter']}/{ask.kind}"
    return HttpRequest("POST", path, body, {"Content-Type": "application/json", **headers})


_FORMS: Final = {
    "append": _append,
    "poll": _poll,
    "lease": _lease,
    "commit": _commit,
    "offsets": lambda ask: HttpRequest("GET", f"{_group(ask)}/offsets"),
    "report": lambda ask: _post(f"{_group(ask)}/dead-letters", {**ask.sent, "error": "cannot do it"}),
    "deliveries": lambda ask: HttpRequest("GET", f"{_group(ask)}/deliveries"),
    "letters": _letters,
    "letter": lambda ask: HttpRequest("GET", f"{API}/dead-letters/{quote(str(ask.sent['letter']))}"),
    "redrive": _click,
    "discard": _click,
}
