"""For applications with Celery: periodic tasks instead of the commands.

A tick that is lost or doubled does not matter.
"""

from datetime import UTC, datetime, timedelta

from celery import shared_task

from .amending import forget_processed as forget_processed_before
from .connecting import sending_client
from .relaying import relay_what_waits


@shared_task(name="eventflow_django.relay_outbox", ignore_result=True)  # type: ignore[untyped-decorator]
def relay_outbox() -> int:
    """Send what waits; return how many events were stored. What another relay has in hand is left to it."""
    with sending_client() as client:
        return relay_what_waits(client)


@shared_task(name="eventflow_django.forget_processed", ignore_result=True)  # type: ignore[untyped-decorator]
def forget_processed(days: float = 30.0) -> int:
    """Forget marks of events that were handled so many days ago; return how many."""
    return forget_processed_before(before=datetime.now(UTC) - timedelta(days=days))
