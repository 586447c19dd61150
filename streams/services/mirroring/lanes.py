"""How far one partition was copied, as the worker that copies it knows. Pure: what is read and found is given to it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streams.log import LaneEnd
from streams.log.protocol import Gap, PartitionRef, ReadResult
from streams.services.mirroring.leases import Advance


@dataclass(slots=True)
class MirrorLane:
    """One partition.

    Attributes:
        position: events up to here need not be copied any more.
        topic_end: of the topic, as far as it is known; None: nothing was copied yet.
        is_there: offsets behind the position of events whose copies are in the topic already.
        written_end: the end that is written down. Copies in `is_there` are behind it, so that whoever comes after
            this worker finds them.
    """

    partition: PartitionRef
    position: int
    topic_end: int | None
    is_there: set[int] = field(default_factory=set)
    written_end: int | None = None

    @property
    def number(self) -> int:
        return self.partition.number

    def take_what_is_there(self, found: LaneEnd) -> Advance:
        """Move over the events that an earlier try has copied; return what that changes."""
        if self.topic_end is None:
            self.position = max((self.position, *found.offsets))
            return self._advance(found.end)
        doubled = self.count_doubled(found.offsets)
        self.is_there |= {offset for offset in found.offsets if offset > self.position}
        copied = 0
        while self.position + 1 in self.is_there:
            self.position += 1
            self.is_there.discard(self.position)
            copied += 1
        return self._advance(found.end, copied=copied, doubled=doubled)

    def count_doubled(self, offsets: Sequence[int]) -> int:
        """Return how many of these copies, found behind the end that was known, are of events that have one already."""
        known = {offset for offset in offsets if offset > self.position and offset not in self.is_there}
        return len(offsets) - len(known)

    def missing_of(self, read: ReadResult) -> list[tuple[int, bytes]]:
        """Return the events of a read that are not in the topic, with their offsets."""
        return [each for each in zip(read.offsets, read.events, strict=True) if each[0] not in self.is_there]

    def move_to(self, read: ReadResult, *, topic_end: int | None, doubled: int = 0) -> Advance:
        """Go on behind a read whose events are all in the topic now; return what that changes."""
        lost = self._lost_in(read.gap)
        self.position = read.next_offset
        self.is_there = {offset for offset in self.is_there if offset > self.position}
        return self._advance(topic_end, copied=len(read.offsets), lost=lost, doubled=doubled)

    def _advance(self, topic_end: int | None, *, copied: int = 0, lost: int = 0, doubled: int = 0) -> Advance:
        self.topic_end = topic_end
        if not self.is_there:
            self.written_end = topic_end
        return Advance(self.number, self.position, self.written_end, copied=copied, lost=lost, doubled=doubled)

    def _lost_in(self, gap: Gap | None) -> int:
        if gap is None:
            return 0
        copied = sum(gap.first_offset <= offset <= gap.last_offset for offset in self.is_there)
        return gap.last_offset - gap.first_offset + 1 - copied
