"""Acks: what several calls say is done ends in one transaction; in one statement, if none names a failed event."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from consumers import metrics
from consumers.errors import OffsetNotInDelivery
from consumers.isolation import after_named_failures
from consumers.models import ConsumerGroup
from consumers.services.key_order import EndedKey, let_next_go
from consumers.services.leasing.references import Ack, DeliveryResult, LeaseResult, columns, hold, remember, tell
from consumers.services.leasing.rows import HeldRow, Key
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.statements import run
from consumers.states import Outcome

Answers = Sequence[list[DeliveryResult] | Exception]


class _Finished(NamedTuple):
    """A delivery that an ack has finished."""

    id: int
    token: UUID
    partition_id: int
    first_offset: int
    last_offset: int
    is_held_back: bool = False
    key_hash: int | None = None


def commit_acks(group: ConsumerGroup, calls: Sequence[Sequence[Ack]]) -> Callable[[], Answers]:
    """Finish what the calls name; a call that names an event outside of its delivery is refused as a whole."""
    if any(ack.failed for acks in calls for ack in acks):
        answers = _ack_with_failures(group, calls)
    else:
        finished = _finish(group, [ack for acks in calls for ack in acks])
        _count(group, finished, failed_events=0)
        answers = tell(group, calls, (_key(row) for row in finished), LeaseResult.ACKED)
    return lambda: answers


def _finish(group: ConsumerGroup, acks: Sequence[Ack]) -> list[_Finished]:
    """Finish whole deliveries, in one statement where nothing stands before them and no key waits for them."""
    with transaction.atomic() if group.keeps_key_order else nullcontext():
        return _finish_and_advance(group, acks)


def _finish_and_advance(group: ConsumerGroup, acks: Sequence[Ack]) -> list[_Finished]:
    finished = [_Finished(*row) for row in run("finish_deliveries", group_id=group.pk, **columns(acks))]
    held_back = sorted({row.partition_id for row in finished if row.is_held_back})
    if held_back:
        run("advance_offsets", group_id=group.pk, partition_ids=held_back)
    let_next_go(group.pk, [EndedKey(row.partition_id, row.key_hash) for row in finished])
    return finished


def _ack_with_failures(group: ConsumerGroup, calls: Sequence[Sequence[Ack]]) -> Answers:
    with transaction.atomic():
        ids = [ack.delivery_id for acks in calls for ack in acks]
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=ids)
        held = hold(group, (ack for acks in calls for ack in acks if ack.failed))
        faults = [_fault(acks, held) for acks in calls]
        accepted = [acks for acks, fault in zip(calls, faults, strict=True) if fault is None]
        failed: dict[Key, Ack] = {}
        for ack in (ack for acks in accepted for ack in acks if ack.failed and ack.key in held):
            failed.setdefault(ack.key, ack)
        whole = [ack for acks in accepted for ack in acks if not ack.failed and ack.key not in failed]
        finished = _finish(group, whole) if whole else []
        failed_events = _settle_failures(group, held, failed)
        finished += [
            _Finished(*key, held[key].partition_id, held[key].first_offset, held[key].last_offset) for key in failed
        ]
    _count(group, finished, failed_events=failed_events)
    told = iter(tell(group, accepted, (_key(row) for row in finished), LeaseResult.ACKED))
    return [next(told) if fault is None else fault for fault in faults]


def _fault(acks: Sequence[Ack], held: Mapping[Key, HeldRow]) -> OffsetNotInDelivery | None:
    for ack in acks:
        row = held.get(ack.key) if ack.failed else None
        for event in ack.failed if row else ():
            if row and not row.first_offset <= event.offset <= row.last_offset:
                return OffsetNotInDelivery(
                    f"Delivery {row.id} has the offsets {row.first_offset} to {row.last_offset}, not {event.offset}. "
                    "Nothing was changed."
                )
    return None


def _settle_failures(group: ConsumerGroup, held: Mapping[Key, HeldRow], acks: Mapping[Key, Ack]) -> int:
    """Let the failed events go on one by one, and the rest be finished; return how many failed."""
    if not acks:
        return 0
    limits = limits_of(group)
    endings = [
        Ending(held[key], after_named_failures(held[key].as_range(), limits, ack.failed)) for key, ack in acks.items()
    ]
    settle(group, endings, Outcome.NACKED)
    remember(group, acks, Outcome.ACKED)
    partition_ids = sorted({ending.held.partition_id for ending in endings})
    run("advance_offsets", group_id=group.pk, partition_ids=partition_ids)
    return sum(len(ending.pieces) for ending in endings)


def _key(row: _Finished) -> Key:
    return row.id, row.token


def _count(group: ConsumerGroup, finished: Iterable[_Finished], *, failed_events: int) -> None:
    acked_events = sum(row.last_offset - row.first_offset + 1 for row in finished) - failed_events
    metrics.count_deliveries(group.stream.name, group.name, "acked", acked_events)
    metrics.count_deliveries(group.stream.name, group.name, "nacked", failed_events)
