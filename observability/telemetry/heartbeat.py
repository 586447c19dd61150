"""What is written down of ticks: that they come, and of the work in the background what it did."""

import logging
from datetime import datetime
from typing import Any, Final

from celery import signals
from django.db import DatabaseError, close_old_connections
from django.utils import timezone
from psycopg_pool import PoolTimeout

from observability.models import Heartbeat

logger = logging.getLogger(__name__)

TICK = "beat"
RETENTION = "retention"
MERGING = "merging"
ROLL_UPS = "roll-ups"
# Each returns how much it did.
_BACKGROUND: Final = {
    "streams.delete_expired_events": RETENTION,
    "streams.merge_small_batches": MERGING,
    "observability.roll_up": ROLL_UPS,
}


def record_tick(*, name: str = TICK, now: datetime) -> None:
    """Write down that a tick came all the way: from beat through the broker to a worker."""
    Heartbeat.objects.update_or_create(name=name, defaults={"ticked_at": now})


def record_run(*, name: str, done: int, now: datetime) -> None:
    """Write down that work in the background ended well, and what it did, if anything."""
    row = Heartbeat(name=name, ticked_at=now)
    fields = ["ticked_at"]
    if done:
        row.done, row.done_at = done, now
        fields += ["done", "done_at"]
    # One statement, as it is written every few seconds.
    Heartbeat.objects.bulk_create([row], update_conflicts=True, unique_fields=["name"], update_fields=fields)


def record_failure(*, name: str, now: datetime) -> None:
    """Write down that work in the background failed; one that never succeeded has nothing to be noted on."""
    Heartbeat.objects.filter(name=name).update(failed_at=now)


def connect() -> None:
    """Attach to Celery's signals; they fire only in processes that run tasks."""
    signals.task_postrun.connect(_note_end, dispatch_uid="eventflow-heartbeat")


def _note_end(task: Any, retval: Any = None, state: str | None = None, **_signal: Any) -> None:
    name, now = _BACKGROUND.get(task.name), timezone.now()
    if name is None:
        return
    try:
        if state == "SUCCESS":
            record_run(name=name, done=retval, now=now)
        else:
            record_failure(name=name, now=now)
    except (DatabaseError, PoolTimeout) as error:
        logger.warning("what %s did could not be written down: %s", name, type(error).__name__)
    finally:
        # Celery has given back the task's connection already; this one is not to stay with the thread.
        close_old_connections()
