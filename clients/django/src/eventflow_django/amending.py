"""What people do about the outbox: each is one guarded statement."""

from datetime import datetime

from django.db.models import QuerySet

from .conf import configuration
from .models import OutboxBatch, OutboxEvent, ProcessedEvent
from .times import for_rows


def try_failed_again(events: QuerySet[OutboxEvent]) -> int:
    """Let failed events among these be sent, as if they had just been published; return how many."""
    return events.filter(failed_at__isnull=False).update(failed_at=None, error="")


def discard_failed(events: QuerySet[OutboxEvent]) -> int:
    """Give up the failed events among these: they are never sent, and their keys go on; return how many."""
    return events.filter(failed_at__isnull=False).delete()[0]


def try_now(batches: QuerySet[OutboxBatch]) -> int:
    """Do not wait for the next attempt's time; return of how many requests."""
    return batches.update(next_attempt_at=None)


def forget_processed(*, before: datetime) -> int:
    """Forget marks of what was handled before then; return how many.

    An event whose mark is forgotten is handled again if it comes again: after a seek back, or from a dead letter.
    """
    marks = ProcessedEvent.objects.using(configuration().database)
    return marks.filter(processed_at__lt=for_rows(before)).delete()[0]
