"""Handing out again what failed before and has waited long enough."""

from collections.abc import Sequence

from consumers.conf import MAX_LEASE_DELIVERIES
from consumers.services.leasing.due_by_key import pick_by_key
from consumers.services.leasing.rows import DueRow, LeasedRow, Taken
from consumers.services.leasing.sharing import TakenRow, fit, going_together
from consumers.statements import run


def take_due(taken: Taken, *, room: int) -> bool:
    """Lease due deliveries that are no suspects, the longest overdue first; whether there were any."""
    max_rows = min(room, MAX_LEASE_DELIVERIES - len(taken.rows))
    if max_rows <= 0:
        return True
    rows = _pick("pick_due", taken, max_rows=max_rows)
    _lease(taken, rows, room)
    return bool(rows)


def take_alone(taken: Taken) -> bool:
    """Lease the longest overdue of those deliveries that are handed out by themselves; whether there was one."""
    rows = _pick("pick_alone", taken)
    _lease(taken, rows, taken.room, is_alone=True)
    return bool(rows)


def take_suspects(taken: Taken, *, room: int) -> bool:
    """Lease suspects that may go beside others, as many as may go together; whether there were any.

    One is picked first: of what an answer has no use for, others that ask at this moment shall have some.
    """
    if room <= 0:
        return True
    rows = _pick("pick_suspects", taken, max_rows=1)
    if not rows:
        return False
    first = rows[0]
    _lease(taken, rows, room)
    room = min(room, first.suspect_limit) - first.event_count
    # They are mostly as long as the first, with which they came apart.
    more = min(room // first.event_count, MAX_LEASE_DELIVERIES - len(taken.rows))
    if more > 0:
        beside = going_together([first, *_pick("pick_suspects", taken, max_rows=more)])[1:]
        _lease(taken, [row for row in beside if row.event_count <= room], room)
    return True


def _pick(statement: str, taken: Taken, **limit: int) -> list[DueRow]:
    if taken.terms.group.keeps_key_order:
        return pick_by_key(statement, taken, **limit)
    return [DueRow(*row) for row in run(statement, group_id=taken.terms.group.pk, **limit)]


def _lease(taken: Taken, rows: Sequence[DueRow], room: int, *, is_alone: bool = False) -> None:
    lease_picked(taken, _without_busy_cut(taken, fit(rows, room)), is_alone=is_alone)


def _without_busy_cut(taken: Taken, picked: list[TakenRow]) -> list[TakenRow]:
    """Leave out what would have to be cut while somebody else holds its partition.

    A cut makes a new range: a seek or a deletion that is under way would not see it, and leave it behind. To wait here
    would be to wait with a delivery locked, which whoever holds the partition may want.
    """
    if not picked or picked[-1].last_offset == picked[-1].row.last_offset:
        return picked
    partition_id = picked[-1].row.partition_id
    if run("try_lock_offsets", group_id=taken.terms.group.pk, partition_ids=[partition_id]):
        return picked
    taken.busy_partition_ids.append(partition_id)
    return picked[:-1]


def lease_picked(taken: Taken, picked: Sequence[TakenRow], *, is_alone: bool = False) -> None:
    """Lease what was picked; what had no room of the last one waits on as a delivery of its own."""
    if not picked:
        return
    rows = run(
        "lease_waiting",
        token=taken.terms.token,
        consumer=taken.terms.consumer,
        ack_wait=taken.terms.ack_wait_seconds,
        is_alone=is_alone,
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
