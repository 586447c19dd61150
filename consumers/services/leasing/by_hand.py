"""What people who manage a group do with its deliveries: have one tried again now, or take one from its consumer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from consumers import metrics
from consumers.delivery_queries import get_delivery
from consumers.errors import DeliveryNotLeased, DeliveryNotWaiting
from consumers.isolation import after_release
from consumers.models import ConsumerGroup
from consumers.services.leasing.expiry import take_back_expired
from consumers.services.leasing.rows import HeldRow
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from consumers.states import DeliveryState, Outcome

if TYPE_CHECKING:
    from consumers.delivery_queries import PresentDelivery


def retry_delivery_now(*, group: ConsumerGroup, delivery_id: int | str) -> PresentDelivery:
    """Let a waiting delivery be handed out at once, whatever its backoff; whoever waits for something is woken.

    Raises:
        WrongMode, DeliveryNotFound
        DeliveryNotWaiting: it was leased meanwhile, or no attempt is left; nothing was changed.
    """
    with transaction.atomic():
        before = get_delivery(group, delivery_id)
        retried = run("retry_now", group_id=group.pk, delivery_id=before.pk)
        if not retried and before.present_state == DeliveryState.WAITING:
            # Its lease has expired, and nobody has come by to take it back.
            take_back_expired(group, [before.pk])
            retried = run("retry_now", group_id=group.pk, delivery_id=before.pk)
        if not retried:
            raise DeliveryNotWaiting(f"Delivery {before.pk} is not waiting for its next attempt. Nothing was changed.")
        _record(AuditAction.DELIVERY_RETRIED, group, before, before={"available_at": before.available_at})
        wake_consumers(partition_id for (partition_id,) in retried)
        return get_delivery(group, before.pk)


def release_delivery(
    *, group: ConsumerGroup, delivery_id: int | str, delivery_count: int | None = None
) -> PresentDelivery:
    """Take a leased delivery from its consumer, as if that had released it: available at once, no failure.

    The consumer is not asked: what it says of its lease from now on is refused with `lease_lost`.

    Args:
        delivery_count: as it was seen, so that a lease that somebody else took meanwhile is left alone.

    Raises:
        WrongMode, DeliveryNotFound
        DeliveryNotLeased: nobody holds it, or another lease than was meant, or its events have expired; nothing was
            changed.
    """
    with transaction.atomic():
        before = get_delivery(group, delivery_id)
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=[before.pk])
        rows = run("hold_leased", group_id=group.pk, delivery_id=before.pk, delivery_count=delivery_count)
        held = [HeldRow(*row) for row in rows]
        if not held:
            raise DeliveryNotLeased(
                f"Delivery {before.pk} is not leased, or was leased again meanwhile. Nothing was changed."
            )
        if held[0].has_lapsed:
            raise DeliveryNotLeased(f"The events of delivery {before.pk} have expired: it ends with its lease.")
        limits = limits_of(group)
        endings = [Ending(row, after_release(row.as_range(), limits), is_failure=False) for row in held]
        settle(group, endings, Outcome.RELEASED)
        _record(AuditAction.DELIVERY_RELEASED, group, before, before={"leased_by": held[0].leased_by})
        wake_consumers({row.partition_id for row in held})
        released = get_delivery(group, before.pk)
    metrics.count_deliveries(group.stream.name, group.name, "released", held[0].event_count)
    return released


def _record(action: AuditAction, group: ConsumerGroup, seen: PresentDelivery, *, before: dict[str, object]) -> None:
    record(
        action,
        stream=(group.stream_id, group.stream.name),
        group=(group.pk, group.name),
        target=f"delivery {seen.pk}",
        before=before,
        after={"partition": seen.partition.number, "first_offset": seen.first_offset, "last_offset": seen.last_offset},
    )
