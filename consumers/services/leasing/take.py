"""Taking what a group has to hand out: what failed before and is due again, and what is new.

Who leases waits for a partition that somebody else holds only if there is nothing else, and then at the very
beginning of a transaction: later it may have a delivery locked which that other one wants. A row that `pick_due.sql`
passes by because it has changed meanwhile stays locked all the same (docs/architecture.md, "Who waits for whom").
"""

import secrets
from collections.abc import Sequence

from django.db import transaction

from consumers.models import ConsumerGroup, Ordering
from consumers.services.leasing.due import take_alone, take_due, take_suspects
from consumers.services.leasing.fresh import take_fresh
from consumers.services.leasing.in_order import take_in_order
from consumers.services.leasing.mend import record_skipped
from consumers.services.leasing.rows import Taken
from consumers.services.leasing.sharing import room_for_due
from consumers.services.leasing.sorting import take_sorted
from consumers.services.leasing.supply import Supply, read_pulse
from consumers.statements import run

# Where so many processes that do the same at once could pass max_in_flight, they take turns.
_LEASES_AT_ONCE = 16


def take(group: ConsumerGroup, leases: Sequence[Taken], supply: Supply) -> None:
    """Let the leases have of what there is, one after the other, in one transaction."""
    if _is_plain(group, leases, supply):
        # Several wait at once, if there is no other partition to try; one by one it costs less to try first.
        take_fresh(leases, supply, wait_for=supply.only_fresh_partition if len(leases) > 1 else ())
    else:
        _take_carefully(group, leases, supply)
    waiting = [taken for taken in leases if taken.is_nothing and taken.busy_partition_ids]
    if not waiting:
        return
    busy = sorted({partition_id for taken in waiting for partition_id in taken.busy_partition_ids})
    if _is_plain(group, leases, supply):
        take_fresh(waiting, supply, wait_for=busy)
    else:
        _take_carefully(group, waiting, supply, wait_for=busy)


def _is_plain(group: ConsumerGroup, leases: Sequence[Taken], supply: Supply) -> bool:
    """Whether one statement does it, without a transaction around it: most leases are like that."""
    return _is_fresh_alone(group, supply) and not _is_near_the_limit(group, leases, supply) and not supply.has_lost


def _is_fresh_alone(group: ConsumerGroup, supply: Supply) -> bool:
    pulse = supply.pulse
    is_due = pulse.has_due or pulse.has_due_alone or pulse.has_due_suspect
    return group.ordering == Ordering.NONE and not is_due and not supply.sorted_ids


def _is_near_the_limit(group: ConsumerGroup, leases: Sequence[Taken], supply: Supply) -> bool:
    return supply.pulse.in_flight + _LEASES_AT_ONCE * sum(taken.room for taken in leases) > group.max_in_flight


def _take_carefully(
    group: ConsumerGroup, leases: Sequence[Taken], supply: Supply, *, wait_for: Sequence[int] = ()
) -> None:
    with transaction.atomic():
        pulse = supply.pulse
        if _is_near_the_limit(group, leases, supply):
            run("lock_group", group_id=group.pk)
            pulse = read_pulse(group)
        left = group.max_in_flight - pulse.in_flight
        if left <= 0:
            return
        if wait_for:
            run("lock_offsets", group_id=group.pk, partition_ids=wait_for)
        if _is_fresh_alone(group, supply):
            for taken in leases:
                taken.room = min(taken.room, left)
                left -= taken.room
            take_fresh(leases, supply)
        else:
            _take_one_by_one(group, leases, supply, left)
        skipped = [each for taken in leases for each in taken.skipped]
        if skipped:
            record_skipped(group, skipped)


def _take_one_by_one(group: ConsumerGroup, leases: Sequence[Taken], supply: Supply, left: int) -> None:
    for taken in leases:
        taken.room = min(taken.room, left)
        if taken.room <= 0:
            return
        if group.ordering != Ordering.PARTITION:
            supply = _take_in_any_order(taken, supply)
        elif not take_in_order(taken, supply):
            return
        left -= taken.event_count


def _take_in_any_order(taken: Taken, supply: Supply) -> Supply:
    """Take what is due and what is new; return what there is for the next lease."""
    pulse = supply.pulse
    has_others = pulse.has_due or supply.has_fresh
    if pulse.has_due_alone and (_toss() or not (pulse.has_due_suspect or has_others)):
        if not take_alone(taken):
            supply = supply.without_alone()
        if taken.rows:
            return supply
    room = room_for_due(taken.room, has_due=pulse.has_due_suspect, has_fresh=has_others, coin=_toss())
    if pulse.has_due_suspect and not take_suspects(taken, room=room):
        supply = supply.without_suspects()
    due_room = room_for_due(taken.left, has_due=pulse.has_due, has_fresh=supply.has_fresh, coin=_toss())
    if pulse.has_due and not take_due(taken, room=due_room):
        supply = supply.without_due()
    take_fresh([taken], supply)
    take_sorted(taken, supply)
    return _take_after_all(taken, supply) if taken.is_nothing else supply


def _take_after_all(taken: Taken, supply: Supply) -> Supply:
    """Take what had no room, where what the room was kept for was not there after all: taken, or sorted out."""
    if supply.pulse.has_due_suspect and not take_suspects(taken, room=taken.room):
        supply = supply.without_suspects()
    if taken.is_nothing and supply.pulse.has_due and not take_due(taken, room=taken.room):
        supply = supply.without_due()
    if taken.is_nothing and supply.pulse.has_due_alone and not take_alone(taken):
        supply = supply.without_alone()
    return supply


def _toss() -> bool:
    """A fair coin."""
    return bool(secrets.randbits(1))
