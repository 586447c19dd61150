"""Handing out again what failed before and has waited long enough."""

from collections.abc import Sequence

from consumers.conf import MAX_LEASE_DELIVERIES
from consumers.services.leasing.rows import DueRow, LeasedRow, LeaseTerms, Taken
from consumers.services.leasing.sharing import TakenRow, fit
from consumers.statements import run


def take_due(terms: LeaseTerms, taken: Taken, *, room: int) -> None:
    """Lease due deliveries, the longest overdue first."""
    if room > 0:
        rows = run("pick_due", group_id=terms.group.pk, is_alone=False, max_rows=min(room, MAX_LEASE_DELIVERIES))
        lease_picked(terms, taken, _without_busy_cut(terms, taken, fit([DueRow(*row) for row in rows], room)))


def take_alone(terms: LeaseTerms, taken: Taken, *, room: int) -> None:
    """Lease the longest overdue of those deliveries that are handed out by themselves."""
    rows = run("pick_due", group_id=terms.group.pk, is_alone=True, max_rows=1)
    lease_picked(terms, taken, _without_busy_cut(terms, taken, fit([DueRow(*row) for row in rows], room)))


def _without_busy_cut(terms: LeaseTerms, taken: Taken, picked: list[TakenRow]) -> list[TakenRow]:
    """Leave out what would have to be cut while somebody else holds its partition.

    A cut makes a new range: a seek or a deletion that is under way would not see it, and leave it behind. To wait here
    would be to wait with a delivery locked, which whoever holds the partition may want.
    """
    if not picked or picked[-1].last_offset == picked[-1].row.last_offset:
        return picked
    partition_id = picked[-1].row.partition_id
    if run("try_lock_offsets", group_id=terms.group.pk, partition_ids=[partition_id]):
        return picked
    taken.busy_partition_ids.append(partition_id)
    return picked[:-1]


def lease_picked(terms: LeaseTerms, taken: Taken, picked: Sequence[TakenRow]) -> None:
    """Lease what was picked; what had no room of the last one waits on as a delivery of its own."""
    if not picked:
        return
    rows = run(
        "lease_waiting",
        token=terms.token,
        consumer=terms.consumer,
        ack_wait=terms.ack_wait_seconds,
        delivery_ids=[each.row.id for each in picked],
        last_offsets=[each.last_offset for each in picked],
    )
    leased = {row[0]: LeasedRow(*row) for row in rows}
    # In the order in which they were picked, which UPDATE … RETURNING does not keep.
    taken.rows += [leased[each.row.id] for each in picked if each.row.id in leased]
    cut = [each for each in picked if each.last_offset < each.row.last_offset and each.row.id in leased]
    leave_rest_waiting([(each.row.id, each.last_offset + 1, each.row.last_offset) for each in cut])


def leave_rest_waiting(rests: Sequence[tuple[int, int, int]]) -> None:
    """Let the ends of leased deliveries wait on: (delivery, first and last offset of the rest)."""
    if rests:
        run(
            "leave_rest_waiting",
            delivery_ids=[rest[0] for rest in rests],
            first_offsets=[rest[1] for rest in rests],
            last_offsets=[rest[2] for rest in rests],
        )
