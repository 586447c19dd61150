"""Cancelling a bulk action that is under way: what was done of it stays done, and nothing is done afterwards."""

from django.db import transaction
from django.db.models.functions import Now

from consumers.errors import BulkActionFinished
from consumers.models import BulkAction
from consumers.services.dead_letters.audit import record_cancellation


def cancel_bulk_action(*, action: BulkAction, cancelled_by: str) -> None:
    """End a bulk action where it stands; one that was cancelled before stays as it is.

    A step that is under way is waited for: its dead letters are counted, and no other step follows.

    Args:
        cancelled_by: the caller's reference.

    Raises:
        BulkActionFinished: it had come to its end by itself.
    """
    with transaction.atomic():
        cancelled = BulkAction.objects.filter(pk=action.pk, finished_at__isnull=True).update(
            finished_at=Now(), cancelled_at=Now(), cancelled_by=cancelled_by
        )
        action.refresh_from_db()
        if cancelled:
            record_cancellation(action)
        elif action.cancelled_at is None:
            raise BulkActionFinished(f"This bulk {action.kind} is finished already: {action.done_count} were done.")
