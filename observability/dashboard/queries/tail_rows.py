"""What the live tail shows: its rows, and what it passed by because nobody could have read it, or retention took it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from observability.conf import TAIL_MAX_BEHIND_EVENTS, TAIL_MAX_BEHIND_SEARCHED_EVENTS, TAIL_ROWS
from observability.dashboard.queries.event_filter import EventFilter
from observability.dashboard.queries.event_view import PREVIEW_CHARACTERS, is_simulated
from streams.log.protocol import Bounds, PartitionRef
from streams.stored_event import decode_event

# A character takes at most four bytes.
_PREVIEW_BYTES = 4 * PREVIEW_CHARACTERS


@dataclass(slots=True)
class TailRow:
    """One event as a script draws it; `preview` is the beginning of its payload, as it was sent."""

    partition: int
    offset: int
    recorded_at: str
    type: str
    key: str | None
    preview: str
    is_simulated: bool
    is_erased: bool
    due_at: str | None = None
    expires_at: str | None = None


class Skipped(NamedTuple):
    """Events of one partition that the tail does not show, both offsets included, and why."""

    partition: int
    first_offset: int
    last_offset: int
    reason: str

    @property
    def event_count(self) -> int:
        return self.last_offset - self.first_offset + 1


TOO_FAST = "There were more than this page goes through; they are under Browse instead."
TAKEN = "Retention took them before they could be shown."
Positions = Mapping[PartitionRef, int]


def view_rows(events: Iterable[bytes]) -> list[TailRow]:
    """Return events, as the log gives them out, for drawing: by time, the newest last, and no more than stay."""
    rows = [_view_row(each) for each in events]
    return sorted(rows, key=lambda row: (row.recorded_at, row.partition, row.offset))[-TAIL_ROWS:]


def _view_row(raw: bytes) -> TailRow:
    event = decode_event(raw)
    payload = bytes(memoryview(event.payload)[: _PREVIEW_BYTES + 1]).decode(errors="ignore")
    return TailRow(
        partition=event.partition,
        offset=event.offset,
        recorded_at=_written(event.recorded_at),
        type=event.type,
        key=event.key,
        preview=payload if len(payload) <= PREVIEW_CHARACTERS else f"{payload[:PREVIEW_CHARACTERS]}…",
        is_simulated=is_simulated(event.headers),
        is_erased=event.erased is not None,
        due_at=_written(event.due_at) if event.due_at else None,
        expires_at=_written(event.expires_at) if event.expires_at else None,
    )


def _written(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def keep_up(
    positions: Positions, bounds: Mapping[int, Bounds], wanted: EventFilter
) -> tuple[dict[PartitionRef, int], list[Skipped]]:
    """Return from where to go on so that what is shown is what happens now, and what is passed by for that.

    Args:
        positions: the offset after which to read, for each partition.
        bounds: by partition number.
        wanted: who looks for something is let go through more, since most of it is not shown.
    """
    behind = sum(_behind(bounds[partition.number], after) for partition, after in positions.items())
    if behind <= (TAIL_MAX_BEHIND_EVENTS if wanted.is_empty else TAIL_MAX_BEHIND_SEARCHED_EVENTS):
        return dict(positions), []
    share = -(-TAIL_ROWS // len(positions))
    reached: dict[PartitionRef, int] = {}
    skipped: list[Skipped] = []
    for partition, after in positions.items():
        here = bounds[partition.number]
        first = max(after + 1, here.earliest_offset)
        reached[partition] = max(after, here.head_offset - share)
        if reached[partition] >= first:
            skipped.append(Skipped(partition.number, first, reached[partition], TOO_FAST))
    return reached, skipped


def taken_from(positions: Positions, bounds: Mapping[int, Bounds]) -> list[Skipped]:
    """Return what retention took of what follows the given offsets."""
    return [
        Skipped(partition.number, after + 1, bounds[partition.number].earliest_offset - 1, TAKEN)
        for partition, after in positions.items()
        if after + 1 < bounds[partition.number].earliest_offset
    ]


def _behind(bounds: Bounds, after: int) -> int:
    return max(0, bounds.head_offset - max(after, bounds.earliest_offset - 1))
