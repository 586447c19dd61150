"""Taking what a group has to hand out: what failed before and is due again, and what is new.

Who leases waits for a partition that somebody else holds only if there is nothing else, and then at the very
beginning of a transaction: later it may have a delivery locked which that other one wants. A row that `pick_due.sql`
passes by because it has changed meanwhile stays locked all the same (docs/architecture.md, "Who waits for whom").
"""

import secrets
from collections.abc import Sequence

from django.db import transaction

from consumers.models import Ordering
from consumers.services.leasing.due import take_alone, take_due
from consumers.services.leasing.fresh import take_fresh
from consumers.services.leasing.in_order import take_in_order
from consumers.services.leasing.mend import record_skipped
from consumers.services.leasing.rows import LeaseTerms, Taken
from consumers.services.leasing.sharing import room_for_due
from consumers.services.leasing.supply import Supply, read_pulse
from consumers.statements import run

# Where this many leases at once could pass max_in_flight, they take turns.
_LEASES_AT_ONCE = 16


def take(terms: LeaseTerms, supply: Supply, *, room: int) -> Taken:
    """Lease up to `room` events of what there is."""
    taken = Taken()
    if _is_plain(terms, supply, room):
        take_fresh(terms, taken, supply, room=room)
    else:
        _take_carefully(terms, taken, supply, room)
    if taken.is_nothing and taken.busy_partition_ids:
        busy, taken = taken.busy_partition_ids, Taken()
        _take_carefully(terms, taken, supply, room, wait_for=busy)
    return taken


def _is_plain(terms: LeaseTerms, supply: Supply, room: int) -> bool:
    """Whether one statement does it, without a transaction around it: most leases are like that."""
    return (
        terms.group.ordering == Ordering.NONE
        and not supply.pulse.has_due
        and not supply.pulse.has_due_alone
        and not _is_near_the_limit(terms, supply, room)
        and not supply.has_lost
    )


def _is_near_the_limit(terms: LeaseTerms, supply: Supply, room: int) -> bool:
    return supply.pulse.in_flight + _LEASES_AT_ONCE * room > terms.group.max_in_flight


def _take_carefully(
    terms: LeaseTerms, taken: Taken, supply: Supply, room: int, *, wait_for: Sequence[int] = ()
) -> None:
    group = terms.group
    with transaction.atomic():
        if _is_near_the_limit(terms, supply, room):
            run("lock_group", group_id=group.pk)
            room = min(room, group.max_in_flight - read_pulse(group).in_flight)
        if room <= 0:
            return
        if wait_for:
            run("lock_offsets", group_id=group.pk, partition_ids=wait_for)
        if group.ordering == Ordering.PARTITION:
            take_in_order(terms, taken, supply, room=room)
        else:
            _take_in_any_order(terms, taken, supply, room)
        if taken.skipped:
            record_skipped(group, taken.skipped)


def _take_in_any_order(terms: LeaseTerms, taken: Taken, supply: Supply, room: int) -> None:
    pulse = supply.pulse
    if pulse.has_due_alone and (_toss() or not (pulse.has_due or supply.has_fresh)):
        take_alone(terms, taken, room=room)
        if taken.rows:
            return
    due_room = room_for_due(room, has_due=pulse.has_due, has_fresh=supply.has_fresh, coin=_toss())
    take_due(terms, taken, room=due_room)
    take_fresh(terms, taken, supply, room=room - taken.event_count)


def _toss() -> bool:
    """A fair coin."""
    return bool(secrets.randbits(1))
