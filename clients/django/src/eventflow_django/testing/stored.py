"""Streams in memory: what the in-memory server knows."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec


class Refusal(Exception):
    """What the server would refuse: a status and a code."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass
class StoredGroup:
    settings: dict[str, Any]
    committed: int = 0


@dataclass
class StoredStream:
    """One partition; offsets start at 1."""

    name: str
    events: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, StoredGroup] = field(default_factory=dict)

    def append(self, event: dict[str, Any]) -> dict[str, Any]:
        stored: dict[str, Any] = {
            "partition": 0,
            "offset": len(self.events) + 1,
            "recorded_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            "id": event.get("id") or str(uuid4()),
            "type": event.get("type") or "event",
            "key": event.get("key"),
            "occurred_at": event.get("occurred_at"),
            "headers": event.get("headers") or {},
            "payload": msgspec.Raw(msgspec.json.encode(event["payload"])),
            # Told as they came; who handles events here waits for no time.
            **{name: event[name] for name in ("deliver_after", "expires_after") if name in event},
        }
        self.events.append(stored)
        return stored

    def group(self, name: str) -> StoredGroup:
        if name not in self.groups:
            raise Refusal(404, "consumer_group_not_found", f"There is no group {name!r}.")
        return self.groups[name]


@dataclass
class StoredStreams:
    """All streams, and the answers that were given under an Idempotency-Key."""

    streams: dict[str, StoredStream] = field(default_factory=dict)
    answers: dict[str, tuple[bytes, Any]] = field(default_factory=dict)

    def stream(self, name: str) -> StoredStream:
        if name not in self.streams:
            raise Refusal(404, "stream_not_found", f"There is no stream {name!r}.")
        return self.streams[name]

    def append(self, given: Any, named: str | None) -> list[tuple[StoredStream, dict[str, Any]]]:
        """Append one event or several, all or none."""
        events = given if isinstance(given, list) else [given]
        for event in events:
            if not isinstance(event, dict) or "payload" not in event:
                raise Refusal(422, "invalid_events", "Each event is an object with a `payload`.")
        places = [self.stream(named or str(event.get("stream"))) for event in events]
        return [(stream, stream.append(event)) for stream, event in zip(places, events, strict=True)]
