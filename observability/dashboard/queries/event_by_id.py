"""Looking for one event by its id, in all streams that somebody may read: bounded, for no index knows the ids.

An id that EventFlow made (UUIDv7) says when that was, so the events that were recorded about then are looked at,
wherever in the log they lie. Of any other id nothing is known, so the newest events are.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import orjson
from django.db.models import F, Max, OuterRef, Subquery

from accounts.caller import Caller
from accounts.roles import Right
from observability.dashboard.queries.engines import list_away
from streams.errors import LogUnavailable
from streams.log import get_log
from streams.log.protocol import Bounds, PartitionRef
from streams.lookup import StreamInfo, infos_of
from streams.models import Partition
from streams.stored_event import outline_of
from streams.visible import list_streams

MOST_STREAMS = 50
MOST_PARTITIONS = 20
EVENTS_OF_EACH = 1_000
BYTES_OF_EACH = 4 * 1024 * 1024
MAX_SECONDS = 0.8
# An id is made before the event is recorded; by a producer whose clock is wrong, also after.
BEFORE, AFTER = timedelta(seconds=5), timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """Where the event lies."""

    stream: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class EventsLookedAt:
    """What a search by id found, and what it has looked at.

    Attributes:
        about: the time that the id names; None: it names none, and the newest events were looked at.
        streams: whose events were looked at.
        is_cut: there are more streams, or partitions, than were.
    """

    found: Sequence[FoundEvent]
    about: datetime | None
    events: int
    streams: Sequence[str]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class _Lane:
    partition: PartitionRef
    bounds: Bounds


def look_for_event(caller: Caller, event_id: str) -> EventsLookedAt:
    """Look for an event with this id, in a bounded number of events, for a bounded time."""
    deadline = time.monotonic() + MAX_SECONDS
    about = _time_of(event_id)
    lanes, is_cut = _lanes(caller, since=about and about - BEFORE, deadline=deadline)
    if about is None:
        starts = [max(lane.bounds.earliest_offset, lane.bounds.head_offset + 1 - EVENTS_OF_EACH) - 1 for lane in lanes]
    else:
        starts = _starts_at(lanes, about - BEFORE)
        recorded = get_log().recorded_after([(lane.partition, at) for lane, at in zip(lanes, starts, strict=True)])
        kept = [at is not None and at <= about + AFTER for at in recorded]
        lanes = [lane for lane, is_kept in zip(lanes, kept, strict=True) if is_kept]
        starts = [start for start, is_kept in zip(starts, kept, strict=True) if is_kept]
    is_cut = is_cut or len(lanes) > MOST_PARTITIONS
    found, events, streams = [], 0, dict[str, None]()
    for lane, start in list(zip(lanes, starts, strict=True))[:MOST_PARTITIONS]:
        if time.monotonic() > deadline:
            is_cut = True
            break
        read = get_log().read(lane.partition, after=start, max_events=EVENTS_OF_EACH, max_bytes=BYTES_OF_EACH)
        events += len(read.events)
        streams[lane.partition.stream] = None
        found += [
            FoundEvent(lane.partition.stream, lane.partition.number, offset)
            for raw, offset in zip(read.events, read.offsets, strict=True)
            if _has_id(raw, event_id)
        ]
    return EventsLookedAt(found, about, events, list(streams), is_cut)


def _lanes(caller: Caller, *, since: datetime | None, deadline: float) -> tuple[list[_Lane], bool]:
    """The partitions with events, of the readable streams that were appended to last; and whether there are more."""
    last = Partition.objects.filter(stream=OuterRef("pk")).order_by().values("stream")
    rows = list_streams(caller, Right.CONSUME).annotate(
        last_recorded_at=Subquery(last.values_list(Max("last_recorded_at")))
    )
    rows = rows.filter(last_recorded_at__gte=since) if since else rows.filter(last_recorded_at__isnull=False)
    # What is away cannot be searched; all else is.
    rows = rows.exclude(engine__in=list_away())
    streams = list(rows.order_by(F("last_recorded_at").desc(), "name")[: MOST_STREAMS + 1])
    infos = infos_of(streams[:MOST_STREAMS])
    bounds, is_whole = _bounds_of(infos, deadline)
    refs = [ref for info in infos for ref in info.partitions]
    lanes = [_Lane(ref, bounds[ref.id]) for ref in refs if ref.id in bounds and bounds[ref.id].event_count]
    return lanes, len(streams) > MOST_STREAMS or not is_whole


def _bounds_of(infos: Sequence[StreamInfo], deadline: float) -> tuple[Mapping[int, Bounds], bool]:
    """The ends of streams' partitions, in one question; if one of them cannot be asked, in one for each stream.

    And whether all of them could be.
    """
    try:
        return get_log().bounds([ref for info in infos for ref in info.partitions]), True
    except LogUnavailable:
        # Of a topic that is gone, say, or is in quarantine: what lies elsewhere is searched all the same.
        pass
    found: dict[int, Bounds] = dict(
        get_log().bounds([ref for info in infos for ref in info.partitions if not ref.epochs])
    )
    for info in infos:
        elsewhere = [ref for ref in info.partitions if ref.epochs]
        if elsewhere and time.monotonic() < deadline:
            with suppress(LogUnavailable):
                found |= get_log().bounds(elsewhere)
    return found, False


def _starts_at(lanes: Sequence[_Lane], at: datetime) -> list[int]:
    """After which offset the first event recorded at `at` or later lies: of all partitions, in as few steps."""
    low = [lane.bounds.earliest_offset - 1 for lane in lanes]
    high = [lane.bounds.head_offset for lane in lanes]
    while any(below < above for below, above in zip(low, high, strict=True)):
        middle = [(below + above) // 2 for below, above in zip(low, high, strict=True)]
        recorded = get_log().recorded_after(
            [(lane.partition, after) for lane, after in zip(lanes, middle, strict=True)]
        )
        for index, moment in enumerate(recorded):
            if low[index] >= high[index]:
                continue
            if moment is not None and moment < at:
                low[index] = middle[index] + 1
            else:
                high[index] = middle[index]
    return low


def _time_of(event_id: str) -> datetime | None:
    """When an id of the kind that EventFlow makes was made; None for any other."""
    try:
        made = UUID(event_id)
    except ValueError:
        return None
    if made.version != 7:
        return None
    try:
        return datetime.fromtimestamp((made.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError):
        return None


def _has_id(raw: bytes, event_id: str) -> bool:
    # Escapes are possible in ids, so the bytes alone decide nothing but for plain text.
    return (not event_id.isascii() or orjson.dumps(event_id)[1:-1] in raw) and outline_of(raw).id == event_id
