"""How the redrives of dead letters end."""

from collections.abc import Sequence

from django.db.models.functions import Now

from consumers.models import DeadLetter, Redrive
from consumers.states import DeadLetterStatus, RedriveOutcome


def resolve_redriven(dead_letter_ids: Sequence[int]) -> None:
    """The redriven events were acked: their dead letters are resolved."""
    if not dead_letter_ids:
        return
    end_redrives(dead_letter_ids, RedriveOutcome.ACKED)
    DeadLetter.objects.filter(pk__in=dead_letter_ids, status=DeadLetterStatus.REDRIVEN).update(
        status=DeadLetterStatus.RESOLVED, closed_at=Now()
    )


def end_redrives(dead_letter_ids: Sequence[int], outcome: RedriveOutcome) -> None:
    """Write down how the redrives under way have ended."""
    if dead_letter_ids:
        Redrive.objects.filter(dead_letter_id__in=dead_letter_ids, outcome=RedriveOutcome.PENDING).update(
            outcome=outcome, ended_at=Now()
        )
