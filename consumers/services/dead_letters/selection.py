"""Redriving or discarding the dead letters that somebody picked one by one."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter

from django.db import transaction

from accounts.audit_actions import AuditAction
from consumers.models import DeadLetter, Mode
from consumers.services.dead_letters.audit import record_dead_letters
from consumers.services.dead_letters.close import close_dead_letters
from consumers.services.dead_letters.redrive import redrive_dead_letters
from consumers.states import DeadLetterStatus


def is_redrivable(dead_letter: DeadLetter) -> bool:
    """Whether it can be sent to its group again: open, its event kept, its group one that is sent events."""
    return (
        dead_letter.status == DeadLetterStatus.OPEN
        and dead_letter.event is not None
        and dead_letter.group.mode == Mode.LEASE
    )


@transaction.atomic
def redrive_selection(*, dead_letters: Sequence[DeadLetter], requested_by: str) -> int:
    """Send those that can be sent to their groups again; return how many."""
    chosen = sorted((each for each in dead_letters if is_redrivable(each)), key=attrgetter("group_id"))
    done = 0
    for _, own in groupby(chosen, key=attrgetter("group_id")):
        letters = list(own)
        done += len(redrive_dead_letters(group=letters[0].group, dead_letters=letters, requested_by=requested_by))
    return done


@transaction.atomic
def discard_selection(*, dead_letters: Sequence[DeadLetter], requested_by: str) -> int:
    """Give up on those that are open; return how many."""
    chosen = sorted(dead_letters, key=attrgetter("group_id"))
    done = 0
    for _, own in groupby(chosen, key=attrgetter("group_id")):
        letters = list(own)
        closed = close_dead_letters(
            group=letters[0].group,
            dead_letters=letters,
            status=DeadLetterStatus.DISCARDED,
            requested_by=requested_by,
        )
        if closed:
            record_dead_letters(AuditAction.DEAD_LETTERS_DISCARDED, letters[0].group, letters)
        done += closed
    return done
