"""The events of deliveries: from the log, or from the dead letter that is redriven. No JSON is decoded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from consumers.conf import MAX_LEASE_BYTES, MAX_LEASE_EVENTS
from consumers.models import Redrive
from streams.log import get_log
from streams.log.protocol import PartitionRef


class Range(Protocol):
    """A delivery's row, as far as its events matter."""

    @property
    def id(self) -> int: ...
    @property
    def partition_id(self) -> int: ...
    @property
    def dead_letter_id(self) -> int | None: ...
    @property
    def first_offset(self) -> int: ...
    @property
    def last_offset(self) -> int: ...


@dataclass(slots=True)
class Body:
    """What was read for one delivery.

    Attributes:
        reached: the last offset of the delivery that was looked at; what follows did not fit.
        kept_from: the first offset that retention has left.
    """

    reached: int
    kept_from: int
    events: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)


class _Budget:
    """Bytes that one answer may still carry; its very first event always fits."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._is_untouched = True

    def takes_all(self, events: Sequence[bytes]) -> bool:
        """Whether what was read within `left` fits; a read gives one event at least, however large."""
        size = sum(map(len, events))
        if size > self.left and not self._is_untouched:
            return False
        self._is_untouched = self._is_untouched and not events
        self.left -= size
        return True

    def takes(self, event: bytes) -> bool:
        if len(event) > self.left and not self._is_untouched:
            return False
        self._is_untouched = False
        self.left -= len(event)
        return True


def read_bodies(
    rows: Sequence[Range], partitions: Mapping[int, PartitionRef], *, max_bytes: int = MAX_LEASE_BYTES
) -> dict[int, Body]:
    """Return what was read for each delivery, by its id; at least one event of the first."""
    budget = _Budget(max_bytes)
    bodies = _copies([row for row in rows if row.dead_letter_id is not None], budget)
    in_log = sorted(
        (row for row in rows if row.dead_letter_id is None), key=lambda row: (row.partition_id, row.first_offset)
    )
    for partition_id, own in groupby(in_log, key=lambda row: row.partition_id):
        for run in _runs(list(own)):
            if len(run) == 1:
                bodies[run[0].id] = _read_one(partitions[partition_id], run[0], budget)
            else:
                bodies |= _read_run(partitions[partition_id], run, budget)
    return bodies


def _copies(rows: Sequence[Range], budget: _Budget) -> dict[int, Body]:
    """A redrive gives what its dead letter kept, as edited for this round."""
    if not rows:
        return {}
    redrives = Redrive.objects.filter(dead_letter_id__in=[row.dead_letter_id for row in rows]).order_by("round")
    # The last round of each dead letter is the one under way.
    kept = {
        dead_letter_id: edited if edited is not None else event
        for dead_letter_id, edited, event in redrives.values_list(
            "dead_letter_id", "edited_event", "dead_letter__event"
        )
    }
    bodies = {}
    for row in rows:
        event = bytes(kept.get(row.dead_letter_id or 0) or b"")
        fits = budget.takes(event)
        bodies[row.id] = Body(
            reached=row.last_offset if fits else row.first_offset - 1,
            kept_from=row.first_offset,
            events=[event] if fits else [],
            offsets=[row.first_offset] if fits else [],
        )
    return bodies


def _runs(rows: Sequence[Range]) -> list[list[Range]]:
    """Put neighbours together, so that many single events are a few reads."""
    runs: list[list[Range]] = []
    for row in rows:
        if runs and row.last_offset - runs[-1][0].first_offset < MAX_LEASE_EVENTS:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def _read_one(partition: PartitionRef, row: Range, budget: _Budget) -> Body:
    """The usual case: one range, read as it comes."""
    body = Body(reached=row.first_offset - 1, kept_from=row.first_offset)
    while body.reached < row.last_offset:
        result = get_log().read(
            partition,
            after=body.reached,
            max_events=row.last_offset - body.reached,
            max_bytes=max(1, budget.left),
        )
        body.kept_from = max(row.first_offset, result.bounds.earliest_offset)
        events, offsets = result.events, result.offsets
        if offsets and offsets[-1] > row.last_offset:
            # Retention came by, and the read went on behind it.
            inside = sum(1 for offset in offsets if offset <= row.last_offset)
            events, offsets = events[:inside], offsets[:inside]
        if not events:
            body.reached = row.last_offset
        elif not budget.takes_all(events):
            break
        else:
            body.events += events
            body.offsets += offsets
            body.reached = min(row.last_offset, max(offsets[-1], result.next_offset))
        if budget.left <= 0:
            break
    return body


def _read_run(partition: PartitionRef, run: list[Range], budget: _Budget) -> dict[int, Body]:
    """Several short ranges near each other: one read, of which each takes its own events."""
    last_offset = max(row.last_offset for row in run)
    owner = {offset: row.id for row in run for offset in range(row.first_offset, row.last_offset + 1)}
    bodies = {row.id: Body(reached=row.first_offset - 1, kept_from=row.first_offset) for row in run}
    position = run[0].first_offset - 1
    is_full = False
    while position < last_offset and not is_full:
        result = get_log().read(partition, after=position, max_events=last_offset - position, max_bytes=MAX_LEASE_BYTES)
        for row in run:
            bodies[row.id].kept_from = max(row.first_offset, result.bounds.earliest_offset)
        for offset, event in zip(result.offsets, result.events, strict=True):
            if offset > last_offset:
                break
            delivery_id = owner.get(offset)
            if delivery_id is not None:
                if not budget.takes(event):
                    is_full = True
                    break
                bodies[delivery_id].events.append(event)
                bodies[delivery_id].offsets.append(offset)
            position = offset
        if not is_full:
            # Without events there is nothing more up to the end: retention took it.
            position = max(position, min(result.next_offset, last_offset)) if result.events else last_offset
    for row in run:
        bodies[row.id].reached = max(row.first_offset - 1, min(row.last_offset, position))
    return bodies
