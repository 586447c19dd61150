"""Whose a mirror is: every change of it by a worker is for the one that has its token, and for nobody else."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now

from streams.conf import MAX_REASON_CHARACTERS, MIRROR_LEASE_SECONDS
from streams.models import Mirror, MirrorPosition
from streams.statements import run


class LeaseEnded(Exception):
    """The mirror is another worker's by now, or gone."""


@dataclass(frozen=True, slots=True)
class MirrorLease:
    """A mirror that is this worker's.

    Attributes:
        was_let_go: whoever had it before has nothing under way any more. If not, that may still arrive.
    """

    mirror_id: int
    stream_id: int
    engine: str
    topic: str
    token: UUID
    was_let_go: bool
    is_failing: bool


@dataclass(frozen=True, slots=True)
class Advance:
    """What became of one partition.

    Attributes:
        position: events up to here need not be copied any more.
        topic_end: None: nothing was copied yet.
        copied, lost, doubled: what came to them.
    """

    number: int
    position: int
    topic_end: int | None
    copied: int = 0
    lost: int = 0
    doubled: int = 0


def claim_mirrors(*, engines: Collection[str], not_these: Collection[int], limit: int) -> list[MirrorLease]:
    """Take mirrors that are free, and no more than `limit`."""
    rows = run(
        "claim_mirrors",
        engines=list(engines),
        not_these=list(not_these),
        limit=limit,
        lease_seconds=MIRROR_LEASE_SECONDS,
    )
    return [MirrorLease(*row) for row in rows]


def renew(lease: MirrorLease) -> None:
    """Keep a mirror for as long as a lease lasts, from now on.

    Raises:
        LeaseEnded
    """
    _require(_own(lease).update(lease_expires_at=Now() + timedelta(seconds=MIRROR_LEASE_SECONDS)))


def advance(lease: MirrorLease, news: Sequence[Advance]) -> None:
    """Move positions; they never go back.

    Raises:
        LeaseEnded: nothing was changed.
    """
    moved = run(
        "advance_mirror",
        mirror_id=lease.mirror_id,
        lease_token=str(lease.token),
        numbers=[each.number for each in news],
        positions=[each.position for each in news],
        topic_ends=[each.topic_end for each in news],
        copied=[each.copied for each in news],
        lost=[each.lost for each in news],
        doubled=[each.doubled for each in news],
    )
    _require(len(moved))


def positions_of(lease: MirrorLease) -> Mapping[int, MirrorPosition]:
    """Return how far each partition is, by number."""
    return {each.number: each for each in MirrorPosition.objects.filter(mirror_id=lease.mirror_id)}


def note_failure(lease: MirrorLease, reason: str) -> None:
    """Say why nothing can be copied now.

    Raises:
        LeaseEnded
    """
    _require(
        _own(lease).update(
            failing_since=Coalesce("failing_since", Now()),
            last_error=reason[:MAX_REASON_CHARACTERS],
            last_error_at=Now(),
            failure_count=F("failure_count") + 1,
        )
    )


def note_success(lease: MirrorLease) -> None:
    """Say that copying goes on.

    Raises:
        LeaseEnded
    """
    _require(_own(lease).update(failing_since=None))


def let_go(lease: MirrorLease) -> None:
    """Let others have the mirror at once: nothing is under way. One that was deleted meanwhile goes now."""
    if not _own(lease).filter(is_ending=True).delete()[0]:
        _own(lease).update(lease_token=None, leased_at=None, lease_expires_at=None)


def clear_ended_mirrors() -> int:
    """Delete the mirrors that were deleted while a worker had them, and are nobody's now; return how many."""
    is_free = Q(lease_expires_at__isnull=True) | Q(lease_expires_at__lt=Now())
    return Mirror.objects.filter(is_free, is_ending=True).delete()[0]


def _own(lease: MirrorLease) -> QuerySet[Mirror]:
    return Mirror.objects.filter(pk=lease.mirror_id, lease_token=lease.token)


def _require(count: int) -> None:
    if not count:
        raise LeaseEnded
