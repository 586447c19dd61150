"""What a stream holds, its partitions together. Pure: every page, answer and metric adds up here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from streams.log.protocol import Bounds


# Not frozen: a scrape makes thousands of these.
@dataclass(slots=True)
class StreamTotals:
    """What a stream holds.

    Attributes:
        event_count: events that are kept.
        head_offset: of several partitions the sum, that is how many events were ever appended.
        earliest_offset: of several partitions the lowest.
        last_event_at: when the newest event was recorded.
    """

    name: str
    event_count: int
    head_offset: int
    earliest_offset: int
    last_event_at: datetime | None


def add_up(name: str, bounds: Iterable[Bounds]) -> StreamTotals:
    """Return what the partitions of the stream hold together."""
    ends = list(bounds)
    return StreamTotals(
        name=name,
        event_count=sum([each.event_count for each in ends]),
        head_offset=sum([each.head_offset for each in ends]),
        earliest_offset=min([each.earliest_offset for each in ends], default=1),
        last_event_at=max([each.last_recorded_at for each in ends if each.last_recorded_at], default=None),
    )
