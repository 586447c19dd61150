"""Nacks and releases: leases that end otherwise than by an ack, those of several calls in one transaction."""

from collections.abc import Callable, Sequence

from django.db import transaction

from consumers import metrics
from consumers.isolation import Piece, after_nack, after_release
from consumers.models import ConsumerGroup
from consumers.services.leasing.references import DeliveryResult, LeaseRef, LeaseResult, Nack, hold, remember, tell
from consumers.services.leasing.rows import HeldRow, Key
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from consumers.states import Outcome

Answers = Sequence[list[DeliveryResult]]


def commit_nacks(group: ConsumerGroup, calls: Sequence[Sequence[Nack]]) -> Callable[[], Answers]:
    """Let failed deliveries wait for their next attempt, or be exhausted."""
    limits = limits_of(group)
    first_said: dict[Key, Nack] = {}
    for nack in (nack for nacks in calls for nack in nacks):
        first_said.setdefault(nack.key, nack)

    def ending(row: HeldRow) -> Ending:
        nack = first_said[row.id, row.lease_token]
        pieces = after_nack(row.as_range(), limits, delay=nack.delay_seconds, is_terminal=nack.is_terminal)
        return Ending(row, pieces, nack.error)

    return _end(group, calls, Outcome.NACKED, LeaseResult.NACKED, ending)


def commit_releases(group: ConsumerGroup, calls: Sequence[Sequence[LeaseRef]]) -> Callable[[], Answers]:
    """Let deliveries be available at once, as if they had not been handed out."""
    limits = limits_of(group)

    def ending(row: HeldRow) -> Ending:
        pieces: Sequence[Piece] = after_release(row.as_range(), limits)
        return Ending(row, pieces, is_failure=False)

    return _end(group, calls, Outcome.RELEASED, LeaseResult.RELEASED, ending)


def _end(
    group: ConsumerGroup,
    calls: Sequence[Sequence[LeaseRef]],
    outcome: Outcome,
    result: LeaseResult,
    ending: Callable[[HeldRow], Ending],
) -> Callable[[], Answers]:
    leases = [lease for named in calls for lease in named]
    with transaction.atomic():
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=[lease.delivery_id for lease in leases])
        held = hold(group, leases)
        settle(group, [ending(row) for row in held.values()], outcome)
        remember(group, held, outcome)
        wake_consumers({row.partition_id for row in held.values()})
    metrics.count_deliveries(
        group.stream.name, group.name, outcome.value, sum(row.event_count for row in held.values())
    )
    answers = tell(group, calls, held, result)
    return lambda: answers
