"""Taking back leases whose consumers did not answer in time."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from consumers import metrics
from consumers.browser_leases import is_browser
from consumers.conf import RECONCILE_STEP_DELIVERIES
from consumers.isolation import Limits, after_expiry, after_release
from consumers.models import ConsumerGroup
from consumers.services.leasing.rows import HeldRow
from consumers.services.leasing.settle import Ending, limits_of, settle
from consumers.services.wakeup import wake_consumers
from consumers.statements import run
from consumers.states import Outcome

EXPIRED_ERROR = "The lease expired: no ack, nack or extend came within the ack wait."


def expire_leases(*, group: ConsumerGroup, max_deliveries: int = RECONCILE_STEP_DELIVERIES) -> int:
    """Take back leases of the group that have expired, in one transaction; return how many.

    Any number of callers may do this at once: each lease is taken back once, and one that its consumer
    extends or ends meanwhile is left alone.
    """
    found = [row[0] for row in run("find_expired", group_id=group.pk, max_rows=max_deliveries)]
    return take_back_expired(group, found) if found else 0


def take_back_expired(group: ConsumerGroup, delivery_ids: Sequence[int]) -> int:
    """Take back those of some leases that have expired and nobody has taken back; return how many."""
    with transaction.atomic():
        run("lock_offsets_of_deliveries", group_id=group.pk, delivery_ids=delivery_ids)
        held = [HeldRow(*row) for row in run("hold_expired", group_id=group.pk, delivery_ids=delivery_ids)]
        limits = limits_of(group)
        counts = _answer_counts(held)
        settle(group, [_ending(row, counts[_kind(row)], limits) for row in held], Outcome.EXPIRED)
        # What waits for its backoff has a timer of its own; what somebody looked at in a browser is there at once.
        wake_consumers({row.partition_id for row in held if is_browser(row.leased_by)})
    metrics.count_deliveries(group.stream.name, group.name, "expired", sum(row.event_count for row in held))
    return len(held)


def _kind(row: HeldRow) -> tuple[UUID, bool]:
    """Which answer carried it, and whether under suspicion."""
    return row.lease_token, row.suspect_limit > 0


def _answer_counts(held: Sequence[HeldRow]) -> Counter[tuple[UUID, bool]]:
    """How many events of each kind expired: fewer, if the answer is taken back in parts, and then it is cut finer."""
    counts: Counter[tuple[UUID, bool]] = Counter()
    for row in held:
        counts[_kind(row)] += row.event_count
    return counts


def _ending(row: HeldRow, answer_count: int, limits: Limits) -> Ending:
    """A program that does not answer may have died of the events; a person has only closed a tab."""
    if is_browser(row.leased_by):
        return Ending(row, after_release(row.as_range(), limits), is_failure=False)
    return Ending(row, after_expiry(row.as_range(answer_count=answer_count), limits), EXPIRED_ERROR)
