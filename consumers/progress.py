"""How far groups have come: what lag is, and what is missing. Pure: whoever shows these numbers asks here."""

from dataclasses import dataclass

from streams.log.protocol import Bounds, PartitionRef


def count_lag(*, head_offset: int, committed_offset: int) -> int:
    """Count the events of a partition that are not finished, also those that retention took meanwhile."""
    return max(0, head_offset - committed_offset)


# Not frozen: a scrape makes thousands of these, and that would take twice as long.
@dataclass(slots=True)
class PartitionProgress:
    """How far a group has come in one partition.

    Attributes:
        lag_seconds: age of the first unfinished event that is kept; None when there is none.
    """

    partition: PartitionRef
    committed_offset: int
    bounds: Bounds
    lag_seconds: float | None

    @property
    def lag(self) -> int:
        """Head offset − committed offset."""
        return count_lag(head_offset=self.bounds.head_offset, committed_offset=self.committed_offset)

    @property
    def missing(self) -> int:
        """Events that retention took before the group finished them, and that it has not passed yet."""
        return max(0, self.bounds.earliest_offset - 1 - self.committed_offset)

    @property
    def finished(self) -> int:
        """Events that are finished and still kept."""
        return max(0, self.bounds.event_count - self.lag)
