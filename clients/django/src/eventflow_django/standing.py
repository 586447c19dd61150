"""How the outbox stands: for a health check, a metric, or whoever looks."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .conf import configuration
from .times import with_zone


@dataclass(frozen=True, slots=True)
class OutboxStanding:
    """
    Attributes:
        unsent: events that are not known to be stored, the failed ones among them.
        failed: events that nobody tries any more until somebody says so.
        oldest_seconds: how long ago the first of those that have not failed was published; 0.0 if there is none. While
            the relay works it is a second or so.
        errors: why requests under way did not get through the last time, by stream.
    """

    unsent: int
    failed: int
    oldest_seconds: float
    errors: dict[str, str]


def outbox_standing() -> OutboxStanding:
    """Return how the outbox stands now; it counts rows, of which there are few while the relay works."""
    from .models import OutboxBatch, OutboxEvent

    database = configuration().database
    events = OutboxEvent.objects.using(database)
    first = events.filter(failed_at=None).order_by("id").values_list("published_at", flat=True).first()
    errors = OutboxBatch.objects.using(database).exclude(last_error="").order_by("stream")
    return OutboxStanding(
        unsent=events.count(),
        failed=events.filter(failed_at__isnull=False).count(),
        oldest_seconds=max(0.0, (datetime.now(UTC) - with_zone(first)).total_seconds()) if first else 0.0,
        errors=dict(errors.values_list("stream", "last_error")),
    )
