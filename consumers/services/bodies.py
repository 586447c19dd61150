"""The events of deliveries: from the log, or from the dead letter that is redriven. No JSON is decoded."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Protocol

from consumers.conf import MAX_LEASE_BYTES, MAX_LEASE_EVENTS
from consumers.models import Redrive
from streams.log import get_log
from streams.log.protocol import PartitionRef
from streams.stored_event import mark_edited


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

    def takes_of(self, events: Sequence[bytes]) -> int:
        """How many of these fit, from the first on."""
        if sum(map(len, events)) <= self.left:
            return len(events) if self.takes_all(events) else 0
        return next((count for count, event in enumerate(events) if not self.takes(event)), len(events))


def read_bodies(
    answers: Sequence[Sequence[Range]], partitions: Mapping[int, PartitionRef], *, max_bytes: int = MAX_LEASE_BYTES
) -> dict[int, Body]:
    """Return what was read for each delivery, by its id; at least one event of the first of each answer."""
    budgets = {row.id: budget for rows in answers for budget in [_Budget(max_bytes)] for row in rows}
    rows = [row for rows in answers for row in rows]
    bodies = _copies([row for row in rows if row.dead_letter_id is not None], budgets)
    in_log = sorted(
        (row for row in rows if row.dead_letter_id is None), key=lambda row: (row.partition_id, row.first_offset)
    )
    for partition_id, own in groupby(in_log, key=lambda row: row.partition_id):
        for run in _runs(list(own)):
            if len(run) == 1:
                bodies[run[0].id] = _read_one(partitions[partition_id], run[0], budgets[run[0].id])
            else:
                bodies |= _read_run(partitions[partition_id], run, budgets)
    return bodies


def _copies(rows: Sequence[Range], budgets: Mapping[int, _Budget]) -> dict[int, Body]:
    """A redrive gives what its dead letter kept, as edited for this round, and then marked as edited."""
    if not rows:
        return {}
    redrives = Redrive.objects.filter(dead_letter_id__in=[row.dead_letter_id for row in rows]).order_by("round")
    # The last round of each dead letter is the one under way.
    kept = {
        dead_letter_id: event
        if edited is None
        else mark_edited(bytes(edited), original=bytes(event or b""), by=by, at=at)
        for dead_letter_id, edited, event, by, at in redrives.values_list(
            "dead_letter_id", "edited_event", "dead_letter__event", "requested_by", "requested_at"
        )
    }
    bodies = {}
    for row in rows:
        event = bytes(kept.get(row.dead_letter_id or 0) or b"")
        fits = budgets[row.id].takes(event)
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


def _read_run(partition: PartitionRef, run: list[Range], budgets: Mapping[int, _Budget]) -> dict[int, Body]:
    """Several short ranges near each other: one read, of which each takes its own events."""
    last_offset = run[-1].last_offset
    bodies = {row.id: Body(reached=row.first_offset - 1, kept_from=row.first_offset) for row in run}
    # Answers that are full: what did not fit, and all that follows it, waits.
    full: set[_Budget] = set()
    position = run[0].first_offset - 1
    while position < last_offset and not all(budgets[row.id] in full for row in run):
        result = get_log().read(partition, after=position, max_events=last_offset - position, max_bytes=MAX_LEASE_BYTES)
        # Without events there is nothing more up to the end: retention took it.
        position = min(last_offset, max(result.next_offset, position + 1)) if result.events else last_offset
        for row in run:
            body, budget = bodies[row.id], budgets[row.id]
            body.kept_from = max(row.first_offset, result.bounds.earliest_offset)
            if budget in full or body.reached == row.last_offset or row.first_offset > position:
                continue
            start = bisect_right(result.offsets, body.reached)
            stop = bisect_right(result.offsets, row.last_offset)
            count = budget.takes_of(result.events[start:stop])
            body.events += result.events[start : start + count]
            body.offsets += result.offsets[start : start + count]
            if count == stop - start:
                body.reached = min(row.last_offset, position)
            else:
                body.reached = result.offsets[start + count] - 1
                full.add(budget)
    return bodies
