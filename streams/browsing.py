"""Events for people: decoded for a page, never for a consumer."""

from dataclasses import dataclass
from datetime import datetime

from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.stored_event import decode_event

MAX_PREVIEW_CHARACTERS = 300
PAGE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event in a list; the payload is its own text, cut short."""

    partition: int
    offset: int
    recorded_at: datetime
    id: str
    type: str
    key: str | None
    preview: str


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events of a partition, in order, and where the pages beside it begin (None: there is none)."""

    partition: PartitionRef
    events: list[EventRow]
    bounds: Bounds
    previous_offset: int | None
    next_offset: int | None


def describe_event(event: bytes) -> EventRow:
    """Return what a list shows of an event."""
    decoded = decode_event(event)
    payload = "erased" if decoded.erased else decoded.payload_text
    is_long = len(payload) > MAX_PREVIEW_CHARACTERS
    return EventRow(
        partition=decoded.partition,
        offset=decoded.offset,
        recorded_at=decoded.recorded_at,
        id=decoded.id,
        type=decoded.type,
        key=decoded.key,
        preview=payload[:MAX_PREVIEW_CHARACTERS] + "…" if is_long else payload,
    )


def browse_events(partition: PartitionRef, *, offset: int | None, since: datetime | None, limit: int) -> EventPage:
    """Return a page of events from an offset, from a time, or the newest ones."""
    bounds = get_log().bounds([partition])[partition.id]
    if offset is None and since is not None:
        offset = get_log().offset_at(partition, since)
    if offset is None:
        offset = bounds.head_offset - limit + 1
    first = max(offset, bounds.earliest_offset)
    result = get_log().read(partition, after=first - 1, max_events=limit, max_bytes=PAGE_BYTES)
    has_more = bool(result.events) and result.next_offset < result.bounds.head_offset
    return EventPage(
        partition=partition,
        events=[describe_event(event) for event in result.events],
        bounds=result.bounds,
        previous_offset=max(first - limit, result.bounds.earliest_offset)
        if first > result.bounds.earliest_offset
        else None,
        next_offset=result.next_offset + 1 if has_more else None,
    )
