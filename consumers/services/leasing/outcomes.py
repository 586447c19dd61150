"""What a consumer says of its leases: ack, nack, extend, release.

Each verb takes many deliveries, answers one by one, and may be repeated: a lease that the same verb ended
before is answered as it was then. A token that is not the delivery's (any more) changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from consumers import metrics
from consumers.errors import OffsetNotInDelivery
from consumers.isolation import FailedEvent, Piece, after_nack, after_named_failures, after_release
from consumers.models import ConsumerGroup, Mode
from consumers.services.leasing.rows import HeldRow
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.services.offsets import require_mode
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from consumers.states import Outcome


class LeaseResult(StrEnum):
    """What became of one delivery that a request named."""

    ACKED = "acked"
    NACKED = "nacked"
    RELEASED = "released"
    EXTENDED = "extended"
    LEASE_LOST = "lease_lost"


@dataclass(frozen=True, slots=True)
class LeaseRef:
    """A delivery and the token under which the caller says to hold it."""

    delivery_id: int
    token: UUID


@dataclass(frozen=True, slots=True)
class Ack(LeaseRef):
    """All of it is done, but for the events named as failed."""

    failed: Sequence[FailedEvent] = ()


@dataclass(frozen=True, slots=True)
class Nack(LeaseRef):
    """All of it failed. Without a delay of its own it follows the group's backoff."""

    error: str = ""
    delay_seconds: float | None = None
    is_terminal: bool = False


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The answer for one delivery; `is_repeated`: the same verb had ended the lease before."""

    delivery_id: int
    result: LeaseResult
    is_repeated: bool = False
    expires_at: datetime | None = None


class _Finished(NamedTuple):
    """A delivery that an ack has finished."""

    id: int
    partition_id: int
    first_offset: int
    last_offset: int
    is_held_back: bool = False


def ack_deliveries(*, group: ConsumerGroup, acks: Sequence[Ack]) -> list[DeliveryResult]:
    """Finish deliveries; an event that is named as failed goes on alone, as a nack of it would.

    The group's committed offsets move up to what is finished now. A lease that has expired but that nobody has
    taken back is still the caller's.

    Raises:
        WrongMode
        OffsetNotInDelivery: a failed event does not belong to its delivery; nothing was changed.
    """
    require_mode(group, Mode.LEASE)
    whole = [ack for ack in acks if not ack.failed]
    partial = {ack.delivery_id: ack for ack in acks if ack.failed}
    if not partial:
        finished = _finish(group, whole)
        failed_events = 0
    else:
        with transaction.atomic():
            run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=[ack.delivery_id for ack in acks])
            finished = _finish(group, whole) if whole else []
            held = _hold(group, partial.values())
            failed_events = _settle_named_failures(group, held, partial)
        finished += [_Finished(row.id, row.partition_id, row.first_offset, row.last_offset) for row in held]
    acked_events = sum(row.last_offset - row.first_offset + 1 for row in finished) - failed_events
    metrics.count_deliveries(group.stream.name, group.name, "acked", acked_events)
    metrics.count_deliveries(group.stream.name, group.name, "nacked", failed_events)
    return _results(group, acks, {row.id for row in finished}, LeaseResult.ACKED)


def _finish(group: ConsumerGroup, acks: Sequence[Ack]) -> "list[_Finished]":
    """Finish whole deliveries, in one statement where nothing stands before them."""
    finished = [_Finished(*row) for row in run("finish_deliveries", group_id=group.pk, **_keys(acks))]
    held_back = sorted({row.partition_id for row in finished if row.is_held_back})
    if held_back:
        run("advance_offsets", group_id=group.pk, partition_ids=held_back)
    return finished


def nack_deliveries(*, group: ConsumerGroup, nacks: Sequence[Nack]) -> list[DeliveryResult]:
    """Give failed deliveries back: they wait for their next attempt, or are exhausted.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    by_id = {nack.delivery_id: nack for nack in nacks}
    limits = limits_of(group)

    def pieces_of(row: HeldRow) -> tuple[Sequence[Piece], str]:
        nack = by_id[row.id]
        pieces = after_nack(row.as_range(), limits, delay=nack.delay_seconds, is_terminal=nack.is_terminal)
        return pieces, nack.error

    results, held = _end(group, nacks, Outcome.NACKED, LeaseResult.NACKED, pieces_of)
    metrics.count_deliveries(group.stream.name, group.name, "nacked", sum(row.event_count for row in held))
    return results


def release_deliveries(*, group: ConsumerGroup, leases: Sequence[LeaseRef]) -> list[DeliveryResult]:
    """Give deliveries back untouched: available at once, not counted as failed.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    limits = limits_of(group)
    results, held = _end(
        group,
        leases,
        Outcome.RELEASED,
        LeaseResult.RELEASED,
        lambda row: (after_release(row.as_range(), limits), ""),
    )
    metrics.count_deliveries(group.stream.name, group.name, "released", sum(row.event_count for row in held))
    return results


def extend_leases(
    *, group: ConsumerGroup, leases: Sequence[LeaseRef], ack_wait_seconds: float | None = None
) -> list[DeliveryResult]:
    """Keep deliveries for another ack wait, counted from now; never shorter than they were leased for.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    rows = run("extend_leases", group_id=group.pk, ack_wait=ack_wait_seconds or group.ack_wait_seconds, **_keys(leases))
    expires_at = dict(rows)
    return [
        DeliveryResult(lease.delivery_id, LeaseResult.EXTENDED, expires_at=expires_at[lease.delivery_id])
        if lease.delivery_id in expires_at
        else DeliveryResult(lease.delivery_id, LeaseResult.LEASE_LOST)
        for lease in leases
    ]


def _end(
    group: ConsumerGroup,
    leases: Sequence[LeaseRef],
    outcome: Outcome,
    result: LeaseResult,
    pieces_of: Callable[[HeldRow], tuple[Sequence[Piece], str]],
) -> tuple[list[DeliveryResult], list[HeldRow]]:
    """End leases other than by an ack."""
    with transaction.atomic():
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=[lease.delivery_id for lease in leases])
        held = _hold(group, leases)
        endings = [Ending(row, *pieces_of(row)) for row in held]
        settle(group, endings, outcome)
        _remember(group, held, outcome)
        results = _results(group, leases, {row.id for row in held}, result)
        wake_consumers({row.partition_id for row in held})
    return results, held


def _settle_named_failures(group: ConsumerGroup, held: Sequence[HeldRow], acks: dict[int, Ack]) -> int:
    """Let the failed events go on one by one, and the rest be finished; return how many failed."""
    if not held:
        return 0
    limits = limits_of(group)
    endings = []
    for row in held:
        failed = acks[row.id].failed
        for event in failed:
            if not row.first_offset <= event.offset <= row.last_offset:
                raise OffsetNotInDelivery(
                    f"Delivery {row.id} has the offsets {row.first_offset} to {row.last_offset}, not {event.offset}. "
                    "Nothing was changed."
                )
        endings.append(Ending(row, after_named_failures(row.as_range(), limits, failed)))
    settle(group, endings, Outcome.NACKED)
    _remember(group, held, Outcome.ACKED)
    run("advance_offsets", group_id=group.pk, partition_ids=sorted({row.partition_id for row in held}))
    return sum(len(ending.pieces) for ending in endings)


def _hold(group: ConsumerGroup, leases: Iterable[LeaseRef]) -> list[HeldRow]:
    return [HeldRow(*row) for row in run("hold_deliveries", group_id=group.pk, **_keys(leases))]


def _remember(group: ConsumerGroup, held: Sequence[HeldRow], outcome: Outcome) -> None:
    if held:
        run(
            "remember_ended",
            group_id=group.pk,
            outcome=outcome.value,
            delivery_ids=[row.id for row in held],
            tokens=[row.lease_token for row in held],
        )


def _results(
    group: ConsumerGroup, leases: Sequence[LeaseRef], done: set[int], result: LeaseResult
) -> list[DeliveryResult]:
    """Answer for each lease: done now, done before by the same verb, or lost."""
    missing = [lease for lease in leases if lease.delivery_id not in done]
    before = dict(run("find_ended", group_id=group.pk, **_keys(missing))) if missing else {}
    answers = []
    for lease in leases:
        is_repeated = before.get(lease.delivery_id) == result.value
        if lease.delivery_id in done or is_repeated:
            answers.append(DeliveryResult(lease.delivery_id, result, is_repeated=is_repeated))
        else:
            answers.append(DeliveryResult(lease.delivery_id, LeaseResult.LEASE_LOST))
    return answers


def _keys(leases: Iterable[LeaseRef]) -> dict[str, list[object]]:
    listed = list(leases)
    return {"delivery_ids": [lease.delivery_id for lease in listed], "tokens": [lease.token for lease in listed]}
