"""What a byte of the worst requests costs: `python -m benchmarks.hostile`, against a server of its own.

Each is set beside an honest request of its size: events to append (as CloudEvents, if it has these), or for a head one with
a long query or header that is used. No request may cost more than five times as much; one that does is marked. It is the CPU time of the web processes,
so that a neighbour on the machine does not count.
"""

import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from benchmarks.api import sign_in
from benchmarks.events import make_body, make_event
from benchmarks.instance import Instance

PROMISED = 5.0
ROUND_BYTES = 12_000_000
MEGABYTE = 990_000
GROUP = "/api/v1/streams/orders/consumer-groups/billing"
JSON = "application/json"
CLOUDEVENTS = "application/cloudevents-batch+json"
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Asked:
    """A request; `size` is that of all that is sent for its sake."""

    what: str
    path: str
    body: bytes = b""
    content_type: str = JSON
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.body) or sum(map(len, (self.path, *self.headers, *self.headers.values())))


def many(unit: bytes, size: int = MEGABYTE) -> bytes:
    return unit * (size // len(unit))


def in_list(before: bytes, unit: bytes, after: bytes, size: int = MEGABYTE) -> bytes:
    return before + b"[" + many(unit + b",", size) + unit + b"]" + after


def honest(size: int) -> Asked:
    """Events of an ordinary size, as many as the size takes: each at most a thousand events in a request."""
    count = min(1_000, max(1, size // 290))
    event_bytes = size // count - 290
    body = make_body(count)
    if event_bytes > 0:
        body = body.replace(b'"currency":"EUR"', b'"currency":"EUR","note":"%b"' % many(b"A note. ", event_bytes))
    return Asked("honest", "/api/v1/streams/orders/events", body)


def honest_cloudevents(size: int) -> Asked:
    """The same events as CloudEvents, each with what producers of these commonly say."""
    count = min(1_000, max(1, size // 380))
    filler = "A note. " * ((size // count - 380) // 8)
    events = []
    for number in range(count):
        event = make_event(number)
        data = {**event["payload"], "note": filler} if filler else event["payload"]  # type: ignore[dict-item]
        events.append({
            "specversion": "1.0", "id": f"order-{number}", "source": "/shop/checkout", "type": event["type"],
            "time": "2026-11-22T10:00:00Z", "partitionkey": event["key"], "data": data,
        })  # fmt: skip
    return Asked("honest", "/api/v1/streams/orders/events", _json(events), CLOUDEVENTS)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def cloudevents(what: str, extensions: Callable[[int], dict[str, object]]) -> Asked:
    """As many CloudEvents as a request may have, without data, with these extensions beside what each must have."""
    events = [
        {"specversion": "1.0", "id": str(number), "source": "/", "type": "t", **extensions(number)}
        for number in range(1_000)
    ]
    return Asked(f"CloudEvents: {what}", "/api/v1/streams/orders/events", _json(events), CLOUDEVENTS)


def extensions(value: object) -> Callable[[int], dict[str, object]]:
    """As many as an event can keep."""
    return lambda number: {f"x{name}": value for name in range(28)}


def worst() -> list[Asked]:
    append, discard, keys = "/api/v1/streams/orders/events", "/api/v1/dead-letters/discard", "/api/v1/api-keys"
    eight = 8_000_000
    lease = b'{"deliveries":[{"delivery_id":1,"lease_token":"' + b"0" * 32 + b'","failed":'
    names = b",".join(b'"%x":0' % number for number in range(100_000))
    deep = b"[" * 60 + b"]" * 60
    return [
        Asked("append: zeros", append, in_list(b"", b"0", b"", eight)),
        Asked("append: objects", append, in_list(b"", b"{}", b"", eight)),
        Asked("append: events of one byte", append, in_list(b"", b'{"payload":1}', b"", eight)),
        Asked("append: lines of zeros", append, many(b"0\n", eight), "application/x-ndjson"),
        Asked("append: empty lines", append, many(b"\n", eight), "application/x-ndjson"),
        Asked("append: a payload of deep lists", append, in_list(b'{"payload":', deep, b"}")),
        Asked("append: a payload over many lines", append, in_list(b'{"payload":', b"\n1", b"}")),
        Asked("append: many headers", append, b'{"payload":1,"headers":{' + names.replace(b":0", b':""') + b"}}"),
        cloudevents("nothing but what each must have", lambda number: {}),
        cloudevents("28 short texts", extensions("v")),
        cloudevents("28 empty texts", extensions("")),
        cloudevents("28 whole numbers", extensions(1)),
        cloudevents("28 times true", extensions(True)),
        cloudevents("28 times null", extensions(None)),
        cloudevents("28 texts beyond ASCII", extensions("ä")),
        cloudevents("28 names that are new", lambda number: {f"x{28 * number + name}": "v" for name in range(28)}),
        cloudevents("times", lambda number: {"time": "2026-11-22T10:00:00+01:00"}),
        cloudevents("empty data in Base64", lambda number: {"data_base64": ""}),
        Asked("CloudEvents: empty objects", append, in_list(b"", b"{}", b"", 3_000), CLOUDEVENTS),
        Asked("bulk: ids", discard, in_list(b'{"dry_run":true,"filter":{"ids":', b"0", b"}}")),
        Asked("bulk: lists as ids", discard, in_list(b'{"dry_run":true,"filter":{"ids":', b"[]", b"}}")),
        Asked("bulk: 20,000 ids", discard, in_list(b'{"dry_run":true,"filter":{"ids":', b"0", b"}}", 38_000)),
        Asked("bulk: 990 ids", discard, in_list(b'{"dry_run":true,"filter":{"ids":', b"0", b"}}", 1_980)),
        Asked("key: scopes", keys, in_list(b'{"name":"n","scopes":', b"0", b"}")),
        Asked("key: slow numbers as streams", keys, in_list(b'{"name":"n","streams":', b"1.5e300", b"}", 150_000)),
        Asked("key: many fields", keys, b"{" + names + b"}"),
        Asked("key: text with brackets", keys, in_list(b'{"name":"n","scopes":', b'["["]', b"}")),
        Asked("key: a long name", keys, b'{"name":"' + many(b"n") + b'"}'),
        Asked("key: escaped backslashes", keys, b'{"name":"' + many(b"\\\\u0000") + b'"}'),
        Asked("key: half a surrogate", keys, b'{"name":"\\ud800' + many(b"\\\\") + b'"}'),
        Asked("key: long numbers", keys, in_list(b'{"name":"n","scopes":', b"9" * 4_000, b"}")),
        Asked("key: once, many values", keys, in_list(b'{"name":', b"0", b"}", 38_000), headers={"Idempotency-Key": "k"}),
        Asked("group: backoff", GROUP.rpartition("/")[0], in_list(b'{"name":"g","backoff":', b"0", b"}")),
        Asked("stream: labels", "/api/v1/streams", b'{"name":"s","labels":{' + names + b"}}"),
        Asked("commit: offsets", f"{GROUP}/offsets", in_list(b'{"offsets":', b"{}", b"}")),
        Asked("ack: deliveries", f"{GROUP}/ack", in_list(b'{"deliveries":', b"0", b"}")),
        Asked("ack: failed", f"{GROUP}/ack", in_list(lease, b'{"offset":1}', b"}]}")),
        Asked("ack: failed, slow numbers", f"{GROUP}/ack", in_list(lease, b'{"offset":1,"delay":1e-310}', b"}]}")),
        Asked("login: a long password", "/api/v1/auth/login", b'{"email":"a@b.c","password":"' + many(b"p") + b'"}'),
        Asked("form: many fields", "/sign-in", many(b"a=&"), FORM),
        Asked("form: escapes", "/sign-in", b"email=" + many(b"%41"), FORM),
        Asked("form: many parts", "/sign-in", many(b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'),
              "multipart/form-data; boundary=b"),
        Asked("query: many names", "/api/v1/streams?" + "a&" * 3_900, method="GET"),
        Asked("query: escapes", "/api/v1/streams?name=" + "%41" * 2_600, method="GET"),
        Asked("headers: many", "/api/v1/streams", method="GET", headers={f"X-{number}": "x" for number in range(80)}),
        Asked("headers: cookies", "/sign-in", method="GET", headers={"Cookie": "a=b;" * 1_500}),
    ]  # fmt: skip


def honest_like(asked: Asked) -> Asked:
    """An honest request to set beside another: of its size, and of CloudEvents if it is one of these."""
    if not asked.body:
        return honest_head(asked)
    return honest_cloudevents(asked.size) if asked.content_type == CLOUDEVENTS else honest(asked.size)


def honest_head(asked: Asked) -> Asked:
    """A request of the same address, whose bytes are one long value."""
    path = asked.path.partition("?")[0]
    return Asked("honest", path, method="GET", headers={"X-Trace": "t" * max(1, asked.size - len(path))})


class Measure:
    """CPU seconds per megabyte of a server."""

    def __init__(self, instance: Instance, token: str) -> None:
        self._instance, self._token = instance, token

    def __call__(self, asked: Asked) -> float:
        count = max(1, min(ROUND_BYTES // asked.size, 400))
        self._send(asked, 1)
        before = self._instance.cpu_seconds(of="granian")
        self._send(asked, count)
        spent = self._instance.cpu_seconds(of="granian") - before
        return max(spent, 0.001) / (count * asked.size / 1e6)

    def _send(self, asked: Asked, count: int) -> None:
        for _ in range(count):
            # Who is refused may find the connection closed.
            connection = http.client.HTTPConnection("127.0.0.1", self._instance.port, timeout=60)
            headers = {"Content-Type": asked.content_type, **asked.headers}
            if asked.path.startswith("/api/"):
                headers["Authorization"] = self._token
            connection.request(asked.method, asked.path, asked.body or None, headers)
            connection.getresponse().read()
            connection.close()


def main() -> None:
    table = Table("what", "bytes", "CPU ms/MB", "honest", "ratio", title="CPU per byte of a request")
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        admin.call("POST", "/streams", {"name": "orders"})
        admin.call("POST", "/streams/orders/consumer-groups", {"name": "billing", "mode": "lease"})
        measure = Measure(instance, admin.headers["Authorization"])
        compare = _remembering(measure)
        for asked in worst():
            cost = measure(asked)
            usual = compare(honest_like(asked))
            ratio = cost / usual
            row = (f"{asked.size:,}", f"{cost * 1000:,.1f}", f"{usual * 1000:,.1f}")
            table.add_row(asked.what, *row, f"{ratio:.1f}{'' if ratio <= PROMISED else ' !'}")
    Console(width=110).print(table)


def _remembering(measure: Measure) -> Callable[[Asked], float]:
    """Measure an honest request once for each size, to the tenth."""
    known: dict[tuple[str, str, int], float] = {}

    def cost(asked: Asked) -> float:
        key = (asked.path, asked.content_type, round(asked.size, 1 - len(str(asked.size))))
        if key not in known:
            known[key] = measure(asked)
        return known[key]

    return cost


if __name__ == "__main__":
    main()
