"""How the redrives of dead letters end; one that is acked, finish_deliveries.sql ends."""

from collections.abc import Sequence

from django.db.models.functions import Now

from consumers.models import Redrive
from consumers.states import RedriveOutcome


def end_redrives(dead_letter_ids: Sequence[int], outcome: RedriveOutcome) -> None:
    """Write down how the redrives under way have ended."""
    if dead_letter_ids:
        Redrive.objects.filter(dead_letter_id__in=dead_letter_ids, outcome=RedriveOutcome.PENDING).update(
            outcome=outcome, ended_at=Now()
        )
