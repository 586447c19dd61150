"""What a group has to hand out, as one look saw it."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from consumers.conf import COUNTED_SUSPECTS
from consumers.models import ConsumerGroup
from consumers.progress import count_uncounted_loss
from consumers.services.leasing.ahead import Ahead
from consumers.services.leasing.rows import Pulse
from consumers.statements import run
from streams.log import get_log
from streams.log.protocol import Bounds
from streams.lookup import StreamInfo

# The ends of partitions as this process last saw them, and when.
_last_bounds: dict[int, tuple[Bounds, float]] = {}
_REMEMBERED_PARTITIONS: Final = 10_000
# A partition that was at its end has its turn again so soon, however much is left in others.
_REMEMBERED_SECONDS: Final = 0.9


@dataclass(frozen=True, slots=True)
class Supply:
    """What there is to hand out.

    Attributes:
        reached: how far each partition was handed out, in the order to try.
        bounds: the ends of each partition.
        is_remembered: those are as they were a moment ago: there may be more by now.
        sorted_ids: partitions whose new events must be sorted before they are handed out.
        held_ids: those of them in which the order of the partition lets nothing new go for now.
        ahead: what was read of the others for that.
    """

    pulse: Pulse
    reached: Mapping[int, int]
    bounds: Mapping[int, Bounds]
    is_remembered: bool = False
    sorted_ids: frozenset[int] = frozenset()
    held_ids: frozenset[int] = frozenset()
    ahead: Sequence[Ahead] = ()

    @property
    def fresh_partition_ids(self) -> list[int]:
        """Where there are events that were never handed out, in the order to try."""
        return [
            partition_id
            for partition_id, offset in self.reached.items()
            if partition_id in self.bounds and offset < self.bounds[partition_id].head_offset
        ]

    @property
    def plain(self) -> Mapping[int, int]:
        """How far those partitions were handed out whose new events nobody has to look at."""
        if not self.sorted_ids:
            return self.reached
        return {each: offset for each, offset in self.reached.items() if each not in self.sorted_ids}

    @property
    def unread_ids(self) -> frozenset[int]:
        """Partitions whose new events could be sorted, and of which nothing was read: they are for another look."""
        return self.sorted_ids - self.held_ids - {each.partition_id for each in self.ahead}

    @property
    def has_more_to_sort(self) -> bool:
        """Whether there is something beyond what was sorted here, or somebody else sorted it."""
        return bool(self.unread_ids) or any(
            each.is_overtaken or (each.after < self.bounds[each.partition_id].head_offset and not each.is_stuck)
            for each in self.ahead
        )

    @property
    def has_fresh(self) -> bool:
        """Whether some event was never handed out."""
        return bool(self.fresh_partition_ids)

    @property
    def has_anything(self) -> bool:
        """Whether there was something to hand out when this look began."""
        return self.has_fresh or self.pulse.has_due or self.pulse.has_due_alone or self.pulse.has_due_suspect

    @property
    def only_fresh_partition(self) -> list[int]:
        """The one that has new events, if there is no other to try first."""
        found = self.fresh_partition_ids
        return found if len(found) == 1 else []

    @property
    def uncounted(self) -> Mapping[int, int]:
        """How many events retention took that were never handed out and are not counted yet, by partition id."""
        through = dict(zip(self.pulse.partition_ids, self.pulse.lost_through, strict=True))
        counts = {
            partition_id: count_uncounted_loss(
                bounds=self.bounds[partition_id], reached_offset=offset, lost_through=through[partition_id]
            )
            for partition_id, offset in self.reached.items()
            if partition_id in self.bounds
        }
        return {partition_id: count for partition_id, count in counts.items() if count}

    @property
    def has_lost(self) -> bool:
        """Whether retention took something that was never handed out."""
        return any(
            offset < self.bounds[partition_id].earliest_offset - 1
            for partition_id, offset in self.reached.items()
            if partition_id in self.bounds
        )

    @property
    def lost(self) -> int:
        """How many lost events nobody has acknowledged, as far as this look can tell."""
        return self.pulse.lost + (sum(self.uncounted.values()) if self.has_lost else 0)

    def without_alone(self) -> "Supply":
        """What is left when nothing more is due that goes by itself."""
        return replace(self, pulse=self.pulse._replace(seconds_until_due_alone=None))

    def without_suspects(self) -> "Supply":
        """What is left when nothing under suspicion is due any more that may go beside the rest."""
        return replace(self, pulse=self.pulse._replace(seconds_until_due_suspect=None))

    def without_due(self) -> "Supply":
        """What is left when nothing else is due any more."""
        return replace(self, pulse=self.pulse._replace(seconds_until_due=None))


def read_pulse(group: ConsumerGroup) -> Pulse:
    """Look at what the group has in hand."""
    row = run(
        "group_pulse",
        group_id=group.pk,
        max_in_flight=group.max_in_flight,
        max_suspects=COUNTED_SUSPECTS,
    )[0]
    return Pulse(*row[:10], *(list(values or ()) for values in row[10:]))


def find_supply(stream: StreamInfo, pulse: Pulse, *, room: int, is_first: bool = True) -> Supply:
    """Put together what a lease of so many events must know.

    The partitions begin anywhere, so that consumers spread: this is the one place where that is drawn.

    Args:
        is_first: of the looks of one lease; the next ones come where that was in vain, and trust no memory.
    """
    offsets = [
        (partition_id, max(committed, dispatched))
        for partition_id, committed, dispatched in zip(
            pulse.partition_ids, pulse.committed_offsets, pulse.dispatched_offsets, strict=True
        )
    ]
    start = secrets.randbelow(len(offsets)) if len(offsets) > 1 else 0
    reached = dict(offsets[start:] + offsets[:start])
    remembered = _remembered(stream, reached, room) if is_first else None
    if remembered is not None:
        return Supply(pulse, reached, remembered, is_remembered=True)
    return Supply(pulse, reached, _ask_for_bounds(stream))


def _remembered(stream: StreamInfo, reached: Mapping[int, int], room: int) -> Mapping[int, Bounds] | None:
    """The ends of the partitions as they were a moment ago, if that is all of them and enough to fill the room.

    The head never goes back, and a lease finds out by itself what retention took meanwhile.
    """
    since = time.monotonic() - _REMEMBERED_SECONDS
    looked_up = ((partition.id, _last_bounds.get(partition.id)) for partition in stream.partitions)
    remembered = {partition_id: seen[0] for partition_id, seen in looked_up if seen is not None and seen[1] > since}
    known = sum(
        max(0, remembered[partition_id].head_offset - offset)
        for partition_id, offset in reached.items()
        if partition_id in remembered
    )
    return remembered if known >= room and len(remembered) == len(stream.partitions) else None


def _ask_for_bounds(stream: StreamInfo) -> Mapping[int, Bounds]:
    asked_at = time.monotonic()
    ends = get_log().bounds(stream.partitions)
    if len(_last_bounds) > _REMEMBERED_PARTITIONS:
        _last_bounds.clear()
    _last_bounds.update({partition_id: (seen, asked_at) for partition_id, seen in ends.items()})
    return ends
