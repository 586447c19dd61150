"""How mirrors stand: what they do now, and how far each partition was copied."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from streams.log import last_seen
from streams.log.protocol import Bounds
from streams.lookup import info_of
from streams.models import Mirror, Stream


class MirrorState(StrEnum):
    """What a mirror does."""

    # A worker has it, and copies what comes.
    RUNNING = "running"
    # No worker has it, and one that is up takes it within a second or two.
    WAITING = "waiting"
    PAUSED = "paused"
    # Nothing can be copied now, for the reason that it says; it is tried again and again.
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class PartitionStanding:
    """How far one partition was copied, in offsets and events."""

    partition: int
    position: int
    head_offset: int
    lag: int
    copied: int
    lost: int
    doubled: int


@dataclass(frozen=True, slots=True)
class MirrorFailure:
    """Why a mirror could not go on, and when."""

    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class MirrorStanding:
    """A mirror as it is at one moment; `since` is when its state began."""

    mirror: Mirror
    state: MirrorState
    since: datetime
    partitions: Sequence[PartitionStanding]

    @property
    def last_error(self) -> MirrorFailure | None:
        """What went wrong last, also where it goes on since."""
        at = self.mirror.last_error_at
        return None if at is None else MirrorFailure(self.mirror.last_error, at)

    @property
    def lag(self) -> int:
        """Events that are kept and not copied."""
        return sum(each.lag for each in self.partitions)

    @property
    def copied(self) -> int:
        return sum(each.copied for each in self.partitions)

    @property
    def lost(self) -> int:
        """Events that retention took before they were copied."""
        return sum(each.lost for each in self.partitions)

    @property
    def doubled(self) -> int:
        """Copies that are in the topic beside others of the same event."""
        return sum(each.doubled for each in self.partitions)


def stand(stream: Stream, mirrors: Sequence[Mirror], *, now: datetime) -> list[MirrorStanding]:
    """Return how mirrors of one stream stand, loaded with their positions; nothing but PostgreSQL is asked."""
    partitions = info_of(stream).partitions if mirrors else ()
    bounds = last_seen(partitions) if partitions else {}
    by_number = {each.number: bounds[each.id] for each in partitions if each.id in bounds}
    return [standing_of(mirror, by_number, now=now) for mirror in mirrors]


def standing_of(mirror: Mirror, bounds: Mapping[int, Bounds], *, now: datetime) -> MirrorStanding:
    """Return how a mirror stands, from the ends of its stream's partitions by number."""
    state, since = _state_of(mirror, now)
    known = {each.number: each for each in mirror.positions.all()}
    partitions = []
    for number, ends in sorted(bounds.items()):
        place = known.get(number)
        position = place.position if place else 0
        partitions.append(
            PartitionStanding(
                number,
                position,
                ends.head_offset,
                # What retention took meanwhile cannot be copied any more.
                max(0, ends.head_offset - max(position, ends.earliest_offset - 1)),
                copied=place.copied_count if place else 0,
                lost=place.lost_count if place else 0,
                doubled=place.doubled_count if place else 0,
            )
        )
    return MirrorStanding(mirror, state, since, partitions)


def _state_of(mirror: Mirror, now: datetime) -> tuple[MirrorState, datetime]:
    if mirror.is_paused:
        return MirrorState.PAUSED, mirror.switched_at
    if mirror.failing_since is not None:
        return MirrorState.FAILING, mirror.failing_since
    if mirror.leased_at is None or mirror.lease_expires_at is None:
        return MirrorState.WAITING, mirror.switched_at
    if mirror.lease_expires_at < now:
        return MirrorState.WAITING, mirror.lease_expires_at
    return MirrorState.RUNNING, mirror.leased_at
