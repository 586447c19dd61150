"""An EventFlow within the test's own process: appends, reads and groups as the server has them, and no clock.

Leases need a server that watches time: consumers are called by `deliver`, in the test's thread and transaction.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec
from eventflow_client import Event

from ..conf import configuration
from ..connecting import sending_client, through
from ..consuming import handler_of
from ..models import OutboxBatch, OutboxEvent
from ..registry import RegisteredConsumer, registered_consumers
from ..relaying import relay_what_waits
from .stored import Refusal, StoredGroup, StoredStream, StoredStreams

# A status, what is said, and perhaps headers.
Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]


class InMemoryEventFlow(httpx.BaseTransport):
    """
    Args:
        streams: the streams that there are; others are refused as the server refuses them.
    """

    def __init__(self, *streams: str) -> None:
        self._stored = StoredStreams({name: StoredStream(name) for name in streams})
        self._given: dict[str, int] = {}

    def events(self, stream: str) -> list[Event]:
        """Return what was appended."""
        return _events(self._stored.stream(stream).events)

    def deliver(self) -> int:
        """Relay what waits in the outbox, and give everything to its consumers, until nothing more comes of it.

        Events are given in their order, one consumer after another. Return how many were handled.

        Raises:
            NotAppended: the server would not take something.
            Exception: what a handler raises comes out here, and its event stays where it was.
        """
        handled = 0
        with sending_client() as client:
            while True:
                relay_what_waits(client)
                _refuse_what_is_left()
                news = sum(self._give(each) for each in registered_consumers() if each.stream in self._stored.streams)
                if not news:
                    return handled
                handled += news

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the server would."""
        path = request.url.path.removeprefix("/api/v1")
        try:
            status, content, *rest = self._answer(request.method, path, request)
        except Refusal as refusal:
            problem = {
                "code": refusal.code,
                "status": refusal.status,
                "title": refusal.code,
                "detail": refusal.detail,
                "retryable": False,
            }
            headers = {"Content-Type": "application/problem+json"}
            return httpx.Response(
                refusal.status, headers=headers, stream=httpx.ByteStream(msgspec.json.encode(problem))
            )
        return httpx.Response(
            status, headers=rest[0] if rest else None, stream=httpx.ByteStream(msgspec.json.encode(content))
        )

    def _give(self, consumer: RegisteredConsumer) -> int:
        handle = handler_of(consumer)
        begun = self._given.get(consumer.name, 0)
        events = self.events(consumer.stream)[begun:]
        if consumer.is_batched:
            if events:
                handle(events)
                self._given[consumer.name] = begun + len(events)
            return len(events)
        for event in events:
            handle(event)
            self._given[consumer.name] = event.offset
        return len(events)

    def _answer(self, method: str, path: str, request: httpx.Request) -> Answer:
        for expected, pattern, answer in _ROUTES:
            if method == expected and (match := pattern.fullmatch(path)):
                return answer(self._stored, request, *match.groups())
        raise Refusal(501, "not_in_memory", f"{method} {path} needs a real server: there is none of it in memory.")


class NotAppended(AssertionError):
    """Something that was published does not get into its stream; in the outbox it would wait, or have failed."""


def _refuse_what_is_left() -> None:
    database = configuration().database
    errors = [
        *OutboxEvent.objects.using(database).exclude(error="").values_list("error", flat=True),
        *OutboxBatch.objects.using(database).exclude(last_error="").values_list("last_error", flat=True),
    ]
    if errors:
        raise NotAppended("\n".join(errors))


@contextmanager
def in_memory_eventflow(*streams: str) -> Iterator[InMemoryEventFlow]:
    """Let everything of this package talk to an EventFlow in memory, which has these streams."""
    server = InMemoryEventFlow(*streams)
    with through(server):
        yield server


def _events(stored: list[dict[str, Any]]) -> list[Event]:
    return msgspec.json.decode(msgspec.json.encode(stored), type=list[Event])


def _append(stored: StoredStreams, request: httpx.Request, stream: str | None = None) -> Answer:
    key = request.headers.get("Idempotency-Key")
    body = request.read()
    if key in stored.answers:
        before, answer = stored.answers[key]
        if before != body:
            raise Refusal(422, "idempotency_key_reused", "The key was used for another request.")
        return 202, answer
    given = msgspec.json.decode(body)
    appended = [
        {name: event[name] for name in ("id", "partition", "offset", "recorded_at")}
        | {"stream": place.name, "duplicate": False}
        for place, event in stored.append(given, stream)
    ]
    answer = {"accepted": len(appended), "events": appended} if isinstance(given, list) else appended[0]
    if key is not None:
        stored.answers[key] = (body, answer)
    return 202, answer


def _read(stored: StoredStreams, request: httpx.Request, stream: str) -> Answer:
    asked = request.url.params
    found = stored.stream(stream)
    group = asked.get("consumer_group_id")
    begin = str(found.group(group).committed) if group else "earliest"
    last = asked.get("last_offset", begin)
    after = {"earliest": 0, "latest": len(found.events)}[last] if last in ("earliest", "latest") else int(last)
    events = found.events[after : after + int(asked.get("limit", 100))]
    headers = {
        "EventFlow-Next-Offset": str(after + len(events)),
        "EventFlow-Head-Offset": str(len(found.events)),
    }
    return 200, events, headers


def _get_group(stored: StoredStreams, _request: httpx.Request, stream: str, name: str) -> Answer:
    return 200, _described(stored.stream(stream), name)


def _make_group(stored: StoredStreams, request: httpx.Request, stream: str) -> Answer:
    settings = msgspec.json.decode(request.read())
    found = stored.stream(stream)
    begun = len(found.events) if settings.get("start") == "latest" else 0
    if settings["name"] in found.groups:
        return 200, _described(found, settings["name"])
    found.groups[settings["name"]] = StoredGroup(settings, begun)
    return 201, _described(found, settings["name"])


def _described(stream: StoredStream, name: str) -> dict[str, Any]:
    group = stream.group(name)
    defaults = {
        "mode": "offset", "start": "earliest", "ack_wait": 30, "max_failures": 5, "max_deliveries": 20, "backoff": [5],
        "ordering": "none", "max_in_flight": 1000, "paused": False, "owner": "", "lost": 0, "lost_total": 0,
        "created_at": "2026-01-01T00:00:00Z", "filter": None, "filtered": 0, "filtered_total": 0,
    }  # fmt: skip
    return {**defaults, **group.settings, "stream": stream.name, "lag": len(stream.events) - group.committed}


def _commit(stored: StoredStreams, request: httpx.Request, stream: str, name: str) -> Answer:
    found = stored.stream(stream)
    group = found.group(name)
    body = msgspec.json.decode(request.read())
    (offset,) = [each["offset"] for each in body["offsets"]] if "offsets" in body else [body["offset"]]
    if offset > len(found.events):
        raise Refusal(422, "offset_beyond_head", f"Nothing has the offset {offset} yet.")
    is_new = offset > group.committed
    group.committed = max(group.committed, offset)
    status = "committed" if is_new else "outdated"
    return 200, {"data": [{"partition": 0, "committed_offset": group.committed, "status": status}]}


_STREAM = r"/streams/([^/]+)"
_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Answer]]] = [
    ("POST", re.compile("/events"), _append),
    ("POST", re.compile(f"{_STREAM}/events"), _append),
    ("GET", re.compile(f"{_STREAM}/events"), _read),
    ("POST", re.compile(f"{_STREAM}/consumer-groups"), _make_group),
    ("GET", re.compile(f"{_STREAM}/consumer-groups/([^/]+)"), _get_group),
    ("POST", re.compile(f"{_STREAM}/consumer-groups/([^/]+)/offsets"), _commit),
]
