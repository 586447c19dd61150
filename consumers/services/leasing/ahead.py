"""Events that were read to be sorted on their way to a lease."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from streams.stored_event import Routing, routing_of


@dataclass(slots=True)
class Ahead:
    """Events of a partition that nobody has had yet, read to be sorted.

    Attributes:
        after: how far the partition was handed out when they were read; moves on with each sorting.
        first_offset: of the first of them, or of the next one to come; what lies between is lost.
        is_stuck: for now nothing more of them may be sorted, whoever tries.
        is_overtaken: somebody else has sorted them meanwhile.
    """

    partition_id: int
    after: int
    first_offset: int
    events: Sequence[bytes]
    is_stuck: bool = False
    is_overtaken: bool = False

    @property
    def is_behind_a_gap(self) -> bool:
        return self.after + 1 < self.first_offset

    @property
    def decoded(self) -> Iterator[tuple[int, Routing]]:
        """Those that are left, as far as they are asked for: what finds no room is not decoded."""
        return ((self.first_offset + position, routing_of(event)) for position, event in enumerate(self.events))

    def advance(self, reached: int) -> None:
        self.events = self.events[reached - self.first_offset + 1 :]
        self.after, self.first_offset = reached, reached + 1
