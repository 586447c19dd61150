"""Closing dead letters by hand: resolved where somebody dealt with the event, discarded where nobody will."""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now

from accounts.audit_actions import AuditAction
from consumers import metrics
from consumers.models import ConsumerGroup, DeadLetter
from consumers.services.dead_letters.audit import record_dead_letters
from consumers.services.dead_letters.redrive import not_open
from consumers.statements import run
from consumers.states import DeadLetterStatus

_ACTIONS = {
    DeadLetterStatus.DISCARDED: AuditAction.DEAD_LETTERS_DISCARDED,
    DeadLetterStatus.RESOLVED: AuditAction.DEAD_LETTERS_RESOLVED,
}


def discard_dead_letter(*, dead_letter: DeadLetter, requested_by: str, note: str = "") -> None:
    """Give up on the event for good; its copy stays to be looked at.

    Raises:
        DeadLetterNotOpen: nothing was changed.
    """
    _close(dead_letter, DeadLetterStatus.DISCARDED, requested_by, note)


def resolve_dead_letter(*, dead_letter: DeadLetter, requested_by: str, note: str = "") -> None:
    """Record that the event was dealt with outside of its group.

    Raises:
        DeadLetterNotOpen: nothing was changed.
    """
    _close(dead_letter, DeadLetterStatus.RESOLVED, requested_by, note)


def close_dead_letters(
    *,
    group: ConsumerGroup,
    dead_letters: Sequence[DeadLetter],
    status: DeadLetterStatus,
    requested_by: str,
    note: str = "",
) -> int:
    """Close those of a group's dead letters that are open; return how many."""
    wanted = DeadLetter.objects.filter(group=group, pk__in=[each.pk for each in dead_letters])
    with transaction.atomic():
        run("lock_offsets", group_id=group.pk, partition_ids=sorted({each.partition_id for each in dead_letters}))
        closed = wanted.filter(status=DeadLetterStatus.OPEN).update(
            status=status, closed_at=Now(), closed_by=requested_by, note=note
        )
    metrics.count_dead_letter_act(group.stream.name, group.name, status.value, closed)
    return closed


def _close(dead_letter: DeadLetter, status: DeadLetterStatus, requested_by: str, note: str) -> None:
    group: ConsumerGroup = dead_letter.group
    with transaction.atomic():
        if not close_dead_letters(
            group=group, dead_letters=[dead_letter], status=status, requested_by=requested_by, note=note
        ):
            raise not_open(dead_letter)
        record_dead_letters(_ACTIONS[status], group, [dead_letter], note=note)
