"""What a stream holds, gains and of what, and how its groups stand: never by looking at events."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from observability.numbers.lanes import Lane, load_lanes
from observability.numbers.series import Point, TypeCount, add_tail, list_points, list_types
from observability.numbers.snapshot import one_snapshot
from observability.numbers.standings import GroupStanding, list_standings
from streams.lookup import StreamInfo


@dataclass(frozen=True, slots=True)
class StreamStats:
    """A stream in numbers.

    Attributes:
        event_count: events that are kept.
        stored_bytes: their size as stored.
        head_offset: of several partitions the sum, that is how many events were ever appended.
        rate_per_second: events appended in the last minute or two.
        types: of the window, without what is not rolled up yet.
        series: of the window; its newest point has what is not rolled up yet.
        not_rolled_up: events that are in no roll-up yet; the roll-ups are at most seconds behind unless the
            worker is away or has fallen behind.
        rolled_up_until: when the last event in the roll-ups was recorded.
    """

    stream: StreamInfo
    event_count: int
    stored_bytes: int
    head_offset: int
    earliest_offset: int
    rate_per_second: float
    last_event_at: datetime | None
    types: Sequence[TypeCount]
    groups: Sequence[GroupStanding]
    series: Sequence[Point]
    not_rolled_up: int
    rolled_up_until: datetime | None


def get_stream_stats(stream: StreamInfo, *, window_seconds: int, now: datetime) -> StreamStats:
    """Return a stream's numbers in a constant number of queries, at any size of its log."""
    with one_snapshot():
        lanes = load_lanes(stream_id=stream.id, now=now)
        groups = list_standings(lanes, stream_id=stream.id, now=now)
        points = list_points(stream_id=stream.id, window_seconds=window_seconds, now=now)
        types = list_types(stream_id=stream.id, window_seconds=window_seconds, now=now)
    own: Sequence[Lane] = list(lanes.values())
    last_event_at = max((lane.bounds.last_recorded_at for lane in own if lane.bounds.last_recorded_at), default=None)
    moments = [float(lane.rolled_up_until) for lane in own if lane.rolled_up_until]
    tail_events = sum(lane.tail_events for lane in own)
    tail_bytes = sum(lane.appended_bytes - lane.rolled_up_bytes for lane in own if lane.tail_events)
    add_tail(points, events=tail_events, size=max(0, tail_bytes), last_event_at=last_event_at)
    return StreamStats(
        stream=stream,
        event_count=sum(lane.bounds.event_count for lane in own),
        stored_bytes=sum(lane.stored_bytes for lane in own),
        head_offset=sum(lane.bounds.head_offset for lane in own),
        earliest_offset=min((lane.bounds.earliest_offset for lane in own), default=1),
        rate_per_second=round(sum(lane.rate_per_second for lane in own), 3),
        last_event_at=last_event_at,
        types=types,
        groups=groups,
        series=points,
        not_rolled_up=tail_events,
        rolled_up_until=datetime.fromtimestamp(min(moments), UTC) if moments else None,
    )
