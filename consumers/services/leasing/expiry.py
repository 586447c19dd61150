"""Taking back leases whose consumers did not answer in time."""

from django.db import transaction

from consumers import metrics
from consumers.conf import RECONCILE_STEP_DELIVERIES
from consumers.isolation import after_expiry
from consumers.models import ConsumerGroup
from consumers.services.leasing.rows import HeldRow
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.statements import run
from consumers.states import Outcome

EXPIRED_ERROR = "The lease expired: no ack, nack or extend came within the ack wait."


def expire_leases(*, group: ConsumerGroup, max_deliveries: int = RECONCILE_STEP_DELIVERIES) -> int:
    """Take back leases of the group that have expired, in one transaction; return how many.

    Any number of callers may do this at once: each lease is taken back once, and one that its consumer
    extends or ends meanwhile is left alone.
    """
    found = [row[0] for row in run("find_expired", group_id=group.pk, max_rows=max_deliveries)]
    if not found:
        return 0
    with transaction.atomic():
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=found)
        held = [HeldRow(*row) for row in run("hold_expired", group_id=group.pk, delivery_ids=found)]
        limits = limits_of(group)
        endings = [Ending(row, after_expiry(row.as_range(), limits), EXPIRED_ERROR) for row in held]
        settle(group, endings, Outcome.EXPIRED)
    metrics.count_deliveries(group.stream.name, group.name, "expired", sum(row.event_count for row in held))
    return len(held)
