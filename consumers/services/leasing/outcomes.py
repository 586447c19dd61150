"""What a consumer says of its leases: ack, nack, extend, release.

Each verb takes many deliveries, answers one by one, and may be repeated: a lease that the same verb ended
before is answered as it was then. A token that is not the delivery's (any more) changes nothing.

Calls of the same verb on the same group share their commits (consumers/services/shared_commits.py).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from accounts.waits import run_blocking
from consumers.models import ConsumerGroup, Mode
from consumers.services.leasing.acks import commit_acks
from consumers.services.leasing.giving_back import commit_nacks, commit_releases
from consumers.services.leasing.references import Ack, DeliveryResult, LeaseRef, LeaseResult, Nack, columns
from consumers.services.leasing.rows import Key
from consumers.services.offsets import require_mode
from consumers.services.shared_commits import share
from consumers.statements import run


async def ack_deliveries_async(*, group: ConsumerGroup, acks: Sequence[Ack]) -> list[DeliveryResult]:
    """Finish deliveries; an event that is named as failed goes on alone, as a nack of it would.

    The group's committed offsets move up to what is finished now. A lease that has expired but that nobody has
    taken back is still the caller's.

    Raises:
        WrongMode
        OffsetNotInDelivery: a failed event does not belong to its delivery; nothing was changed.
    """
    require_mode(group, Mode.LEASE)
    return await share(("ack", group.pk), acks, partial(commit_acks, group), size=len(acks))


def ack_deliveries(*, group: ConsumerGroup, acks: Sequence[Ack]) -> list[DeliveryResult]:
    """Do what `ack_deliveries_async` does, in a thread that may wait."""
    return run_blocking(ack_deliveries_async(group=group, acks=acks))


async def nack_deliveries_async(*, group: ConsumerGroup, nacks: Sequence[Nack]) -> list[DeliveryResult]:
    """Give failed deliveries back: they wait for their next attempt, or are exhausted.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    return await share(("nack", group.pk), nacks, partial(commit_nacks, group), size=len(nacks))


def nack_deliveries(*, group: ConsumerGroup, nacks: Sequence[Nack]) -> list[DeliveryResult]:
    """Do what `nack_deliveries_async` does, in a thread that may wait."""
    return run_blocking(nack_deliveries_async(group=group, nacks=nacks))


async def release_deliveries_async(*, group: ConsumerGroup, leases: Sequence[LeaseRef]) -> list[DeliveryResult]:
    """Give deliveries back untouched: available at once, not counted as failed.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    return await share(("release", group.pk), leases, partial(commit_releases, group), size=len(leases))


def release_deliveries(*, group: ConsumerGroup, leases: Sequence[LeaseRef]) -> list[DeliveryResult]:
    """Do what `release_deliveries_async` does, in a thread that may wait."""
    return run_blocking(release_deliveries_async(group=group, leases=leases))


class _Extension(NamedTuple):
    leases: Sequence[LeaseRef]
    ack_wait_seconds: float


async def extend_leases_async(
    *, group: ConsumerGroup, leases: Sequence[LeaseRef], ack_wait_seconds: float | None = None
) -> list[DeliveryResult]:
    """Keep deliveries for another ack wait, counted from now; never shorter than they were leased for.

    Raises:
        WrongMode
    """
    require_mode(group, Mode.LEASE)
    extension = _Extension(leases, ack_wait_seconds or group.ack_wait_seconds)
    return await share(("extend", group.pk), extension, partial(_commit_extensions, group), size=len(leases))


def extend_leases(
    *, group: ConsumerGroup, leases: Sequence[LeaseRef], ack_wait_seconds: float | None = None
) -> list[DeliveryResult]:
    """Do what `extend_leases_async` does, in a thread that may wait."""
    return run_blocking(extend_leases_async(group=group, leases=leases, ack_wait_seconds=ack_wait_seconds))


def _commit_extensions(
    group: ConsumerGroup, extensions: Sequence[_Extension]
) -> Callable[[], Sequence[list[DeliveryResult]]]:
    longest: dict[Key, float] = {}
    for extension in extensions:
        for lease in extension.leases:
            longest[lease.key] = max(extension.ack_wait_seconds, longest.get(lease.key, 0.0))
    named = columns(lease for extension in extensions for lease in extension.leases)
    rows = run("extend_leases", group_id=group.pk, ack_waits=list(longest.values()), **named)
    expires_at = {(delivery_id, token): at for delivery_id, token, at in rows}
    return lambda: [
        [
            DeliveryResult(lease.delivery_id, LeaseResult.EXTENDED, expires_at=expires_at[lease.key])
            if lease.key in expires_at
            else DeliveryResult(lease.delivery_id, LeaseResult.LEASE_LOST)
            for lease in extension.leases
        ]
        for extension in extensions
    ]
