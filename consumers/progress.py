"""How far groups have come: what lag is, what is missing, what is lost. Pure: whoever shows these asks here."""

from dataclasses import dataclass
from typing import NamedTuple

from streams.log.protocol import Bounds, PartitionRef


def count_lag(*, bounds: Bounds, committed_offset: int) -> int:
    """Count the events of a partition that are still there and not finished."""
    return max(0, bounds.head_offset - max(committed_offset, bounds.earliest_offset - 1))


def count_uncounted_loss(*, bounds: Bounds, reached_offset: int, lost_through: int) -> int:
    """Count what retention took before it was handed out, and nobody has added to the group's count yet.

    Args:
        reached_offset: up to where the group has committed or was handed something.
        lost_through: up to where losses are in the count.
    """
    return max(0, bounds.earliest_offset - 1 - max(reached_offset, lost_through))


class Place(NamedTuple):
    """Where a group stands in one partition, and what is counted there as lost.

    `filtered_count`, `expired_count`: what was finished without being handed out.
    """

    committed_offset: int
    dispatched_offset: int
    lost_through: int
    lost_count: int
    lost_acknowledged: int
    filtered_count: int = 0
    expired_count: int = 0

    @property
    def reached_offset(self) -> int:
        """Up to where the group has committed or was handed something."""
        return max(self.committed_offset, self.dispatched_offset)

    def uncounted(self, bounds: Bounds) -> int:
        return count_uncounted_loss(bounds=bounds, reached_offset=self.reached_offset, lost_through=self.lost_through)

    def lost(self, bounds: Bounds) -> int:
        """What retention took before the group had finished it, since somebody acknowledged it."""
        return self.lost_total(bounds) - self.lost_acknowledged

    def lost_total(self, bounds: Bounds) -> int:
        """What retention took before the group had finished it, ever."""
        return self.lost_count + self.uncounted(bounds)


# Not frozen: a scrape makes thousands of these, and that would take twice as long.
@dataclass(slots=True)
class PartitionProgress:
    """How far a group has come in one partition.

    Attributes:
        lag_seconds: since when the first unfinished event that is kept could have been finished: since it was recorded,
            or was due, if it was for later; None when there is none, or all of them are still for later.
        unfinished_seconds: age of the first unfinished event that is kept, also of one that is for later.
    """

    partition: PartitionRef
    place: Place
    bounds: Bounds
    lag_seconds: float | None
    unfinished_seconds: float | None

    @property
    def committed_offset(self) -> int:
        return self.place.committed_offset

    @property
    def lost(self) -> int:
        """What retention took before the group had finished it, since somebody acknowledged it."""
        return self.place.lost(self.bounds)

    @property
    def lost_total(self) -> int:
        """The same since the group began."""
        return self.place.lost_total(self.bounds)

    @property
    def lag(self) -> int:
        """Events that are still there and not finished."""
        return count_lag(bounds=self.bounds, committed_offset=self.committed_offset)

    @property
    def missing(self) -> int:
        """Events that retention took before the group finished them, and that it has not passed yet."""
        return max(0, self.bounds.earliest_offset - 1 - self.committed_offset)

    @property
    def finished(self) -> int:
        """Events that are finished and still kept."""
        return max(0, self.bounds.event_count - self.lag)
