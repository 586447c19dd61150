"""When what was leased and what could be read differ: retention came by, or the answer is full."""

from collections.abc import Mapping, Sequence

from django.db import transaction

from consumers.models import ConsumerGroup
from consumers.services.bodies import Body
from consumers.services.key_order import EndedKey, let_next_go, lose_held_up
from consumers.services.leasing.due import leave_rest_waiting
from consumers.services.leasing.rows import LeasedRow, LeaseTerms, SkippedRange
from consumers.services.losses import LostRange, add_losses
from consumers.statements import run
from consumers.states import Outcome


def mend(
    terms: LeaseTerms, rows: Sequence[LeasedRow], bodies: Mapping[int, Body]
) -> tuple[list[LeasedRow], list[SkippedRange]]:
    """Make the leased deliveries what their bodies are; return those that are handed out, and what is lost.

    What did not fit into the answer waits on and was never delivered. What retention took is written to the
    history; the committed offset moves past it.
    """
    if all(_is_whole(row, bodies[row.id]) for row in rows):
        return list(rows), []
    # Nothing was read and it does not end here: the answer was full. Read to its end and empty: it is lost.
    kept = [row for row in rows if bodies[row.id].events]
    empty = [row for row in rows if not bodies[row.id].events]
    gone = [row for row in empty if bodies[row.id].reached == row.last_offset]
    undone = [row for row in empty if bodies[row.id].reached < row.last_offset]
    shrunk = [_as_read(row, bodies[row.id]) for row in kept]
    lost = [SkippedRange(row.partition_id, row.round, row.first_offset, row.last_offset) for row in gone]
    lost += [
        SkippedRange(row.partition_id, row.round, row.first_offset, as_read.first_offset - 1)
        for row, as_read in zip(kept, shrunk, strict=True)
        if as_read.first_offset > row.first_offset
    ]
    with transaction.atomic():
        run(
            "lock_offsets",
            group_id=terms.group.pk,
            partition_ids=sorted({row.partition_id for row in rows}),
        )
        if undone:
            run("undo_leases", token=terms.token, delivery_ids=[row.id for row in undone])
        if gone:
            lost += _lose(terms, gone, bodies)
        _shrink(terms, kept, shrunk)
        if lost:
            ranges = [LostRange(each.partition_id, each.first_offset, each.last_offset) for each in lost]
            add_losses(group_id=terms.group.pk, ranges=ranges)
            record_skipped(terms.group, lost)
    return shrunk, lost


def give_back_unread(terms: LeaseTerms, rows: Sequence[LeasedRow]) -> None:
    """Let deliveries wait on that were leased and could not be read: they were never delivered."""
    if not rows:
        return
    with transaction.atomic():
        run("lock_offsets", group_id=terms.group.pk, partition_ids=sorted({row.partition_id for row in rows}))
        run("undo_leases", token=terms.token, delivery_ids=[row.id for row in rows])


def _lose(terms: LeaseTerms, gone: Sequence[LeasedRow], bodies: Mapping[int, Body]) -> list[SkippedRange]:
    """End what is gone; what was held up behind it and is gone, too, is returned."""
    rows = run("lose_events", token=terms.token, delivery_ids=[row.id for row in gone])
    ended = [EndedKey(*row) for row in rows]
    held_up = [
        each
        for partition_id in sorted({each.partition_id for each in ended if each.key_hash is not None})
        for each in lose_held_up(
            terms.group.pk,
            partition_id=partition_id,
            earliest_offset=max(bodies[row.id].kept_from for row in gone if row.partition_id == partition_id),
        )
    ]
    let_next_go(terms.group.pk, ended)
    return [SkippedRange(lost.partition_id, round_, lost.first_offset, lost.last_offset) for round_, lost in held_up]


def record_skipped(group: ConsumerGroup, skipped: Sequence[SkippedRange]) -> None:
    """Write down what retention took, and move the committed offsets past it."""
    run(
        "record_history",
        group_id=group.pk,
        outcome=Outcome.LOST.value,
        partition_ids=[each.partition_id for each in skipped],
        rounds=[each.round for each in skipped],
        first_offsets=[each.first_offset for each in skipped],
        last_offsets=[each.last_offset for each in skipped],
        failed_counts=[0] * len(skipped),
        finished_counts=[0] * len(skipped),
        delivery_counts=[0] * len(skipped),
        failure_counts=[0] * len(skipped),
        consumers=[""] * len(skipped),
        leased_ats=[None] * len(skipped),
        errors=["Retention took these events before they were handed out."] * len(skipped),
    )
    run("advance_offsets", group_id=group.pk, partition_ids=sorted({each.partition_id for each in skipped}))


def _is_whole(row: LeasedRow, body: Body) -> bool:
    return body.reached == row.last_offset and body.kept_from <= row.first_offset and bool(body.events)


def _as_read(row: LeasedRow, body: Body) -> LeasedRow:
    return row._replace(first_offset=max(row.first_offset, body.kept_from), last_offset=body.reached)


def _shrink(terms: LeaseTerms, rows: Sequence[LeasedRow], shrunk: Sequence[LeasedRow]) -> None:
    changed = [(row, as_read) for row, as_read in zip(rows, shrunk, strict=True) if row != as_read]
    if not changed:
        return
    ours = run(
        "shrink_leases",
        token=terms.token,
        delivery_ids=[as_read.id for _, as_read in changed],
        first_offsets=[as_read.first_offset for _, as_read in changed],
        last_offsets=[as_read.last_offset for _, as_read in changed],
    )
    still_ours = {row[0] for row in ours}
    leave_rest_waiting(
        [
            (row.id, as_read.last_offset + 1, row.last_offset)
            for row, as_read in changed
            if as_read.last_offset < row.last_offset and row.id in still_ours
        ]
    )
