from datetime import datetime

from observability.models import Heartbeat

TICK = "beat"


def record_tick(*, name: str = TICK, now: datetime) -> None:
    """Write down that a tick came all the way: from beat through the broker to a worker."""
    Heartbeat.objects.update_or_create(name=name, defaults={"ticked_at": now})
