"""For applications with Celery: `eventflow_django.relay_outbox` as a periodic task instead of the command."""

from celery import shared_task

from .connecting import sending_client
from .relaying import relay_what_waits


@shared_task(name="eventflow_django.relay_outbox")  # type: ignore[untyped-decorator]
def relay_outbox() -> int:
    """Send what waits; return how many events were stored. A tick that is lost or doubled does not matter."""
    with sending_client() as client:
        return relay_what_waits(client)
