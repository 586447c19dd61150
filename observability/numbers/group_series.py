"""How a group's lag went over time, and what it did: from what was recorded, and from how it stands at this moment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from consumers.models import ConsumerGroup
from consumers.progress_queries import GroupCounts, counts_of
from observability.numbers.ranges import TimeRange, floor
from observability.numbers.statements import run


class Sample(NamedTuple):
    """What a group's counts were at a moment."""

    at: datetime
    counts: GroupCounts


@dataclass(slots=True)
class GroupPoint:
    """A group in a stretch of time; None: nobody wrote it down.

    Attributes:
        lag: at its beginning.
        finished, failed, dead_lettered: events, from then until the next point that was written down.
        seconds: how long that took.
    """

    start: datetime
    lag: int | None = None
    finished: int | None = None
    failed: int | None = None
    dead_lettered: int | None = None
    seconds: float | None = None

    @property
    def finished_per_second(self) -> float | None:
        return self.finished / self.seconds if self.finished is not None and self.seconds else None


def list_group_points(group: ConsumerGroup, wanted: TimeRange, *, now: datetime) -> list[GroupPoint]:
    """Return a point for each step of a range, in two queries."""
    samples = _recorded(group, wanted, now)
    if wanted.until is None or now < wanted.until + wanted.step:
        samples.append(Sample(now, counts_of(group)))
    return make_points(samples, wanted, now=now)


def _recorded(group: ConsumerGroup, wanted: TimeRange, now: datetime) -> list[Sample]:
    """The first of each point that was written down, up to a step later: what happened in the last one ends there."""
    rows = run(
        "group_samples",
        group_id=group.pk,
        first=wanted.first,
        until=(wanted.until or now) + wanted.step,
        step=wanted.step,
        is_by_the_hour=wanted.is_by_the_hour,
    )
    return [Sample(at, GroupCounts(*counts)) for at, *counts in rows]


def make_points(samples: Sequence[Sample], wanted: TimeRange, *, now: datetime) -> list[GroupPoint]:
    """Return the points of a range, from samples in order of time. Pure."""
    points = {start: GroupPoint(start) for start in wanted.starts(now=now)}
    marks: dict[datetime, Sample] = {}
    for sample in samples:
        marks.setdefault(floor(sample.at, wanted.step), sample)
    # The last one ends a point even where it is not the first in its own.
    for earlier, later in pairwise([*marks.values(), *samples[-1:]]):
        if point := points.get(floor(earlier.at, wanted.step)):
            _tell(point, earlier, later)
    return list(points.values())


def _tell(point: GroupPoint, earlier: Sample, later: Sample) -> None:
    point.lag = earlier.counts.lag
    seconds = (later.at - earlier.at).total_seconds()
    if seconds > 0:
        point.seconds = seconds
        # They never fall, unless the database is one from an older dump.
        point.finished = max(0, later.counts.finished - earlier.counts.finished)
        point.failed = max(0, later.counts.failed - earlier.counts.failed)
        point.dead_lettered = max(0, later.counts.dead_lettered - earlier.counts.dead_lettered)
