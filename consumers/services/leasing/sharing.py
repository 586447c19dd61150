"""How one lease shares its room between what failed before and what is new: pure arithmetic.

Neither may starve. Where both are waiting, each gets half of the room, and the odd event goes to either by the toss of
a coin; what one side does not use, the other may. In the same way what is under suspicion gets half of the room beside
all that is not. What must be handed out by itself takes a whole answer, every other one on average.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from consumers.isolation import may_go_together
from consumers.services.leasing.rows import DueRow
from streams.log.protocol import Bounds

# Of one answer: more partitions mean more ranges to read and to ack.
MAX_FRESH_PARTITIONS = 8


class FreshRange(NamedTuple):
    """Room for new events in one partition."""

    partition_id: int
    bounds: Bounds
    room: int


class TakenRow(NamedTuple):
    """A due delivery, up to the offset that still has room; the rest of it waits on."""

    row: DueRow
    last_offset: int


def room_for_due(room: int, *, has_due: bool, has_fresh: bool, coin: bool) -> int:
    """How many events of an answer go to deliveries that failed before, or to suspects beside all that are none."""
    if not has_due:
        return 0
    if not has_fresh:
        return room
    return room // 2 + (room % 2 if coin else 0)


def fit(rows: Sequence[DueRow], room: int) -> list[TakenRow]:
    """Take rows, in order, until the room is used; the last one may be cut."""
    taken = []
    for row in rows:
        if room <= 0:
            break
        last_offset = min(row.last_offset, row.first_offset + room - 1)
        taken.append(TakenRow(row, last_offset))
        room -= last_offset - row.first_offset + 1
    return taken


def going_together(suspects: Sequence[DueRow]) -> list[DueRow]:
    """Take suspects, in order, as far as one answer may carry them together: the first in any case."""
    taken = list(suspects[:1])
    for row in suspects[1:]:
        if not may_go_together([*taken, row]):
            break
        taken.append(row)
    return taken


def plan_fresh(reached: Mapping[int, int], bounds: Mapping[int, Bounds], room: int) -> list[FreshRange]:
    """Choose partitions, in the order given, until their new events fill the room.

    Args:
        reached: how far each partition has been handed out.
        bounds: the ends of each partition.
    """
    plan: list[FreshRange] = []
    for partition_id, offset in reached.items():
        if room <= 0 or len(plan) == MAX_FRESH_PARTITIONS:
            break
        ends = bounds.get(partition_id)
        if ends is None or offset >= ends.head_offset:
            continue
        available = max(1, ends.head_offset - max(offset, ends.earliest_offset - 1))
        plan.append(FreshRange(partition_id, ends, min(room, available)))
        room -= min(room, available)
    return plan
