"""Appends that were refused: noted in memory as it happens, written down by the minute beside all requests.

Nothing of it stands on a request's way. What was noted in the last seconds before a process is killed is lost.
"""

import logging
import threading
from datetime import UTC, datetime, timedelta

from django.db.models import F, Sum

from accounts.written_beside import keep_writing
from observability.conf import REJECTIONS_KEEP_SECONDS, REJECTIONS_ROUND_SECONDS
from observability.models import RejectedAppends

logger = logging.getLogger(__name__)

_lock = threading.Lock()
_noted: dict[datetime, int] = {}


def note_rejected_append() -> None:
    """Note that an append was refused just now."""
    minute = datetime.now(UTC).replace(second=0, microsecond=0)
    with _lock:
        _noted[minute] = _noted.get(minute, 0) + 1


def write_rejections() -> int:
    """Write down what was noted; return how many refusals. What cannot be written stays noted."""
    with _lock:
        taken = dict(_noted)
    for minute, count in taken.items():
        RejectedAppends.objects.bulk_create([RejectedAppends(minute=minute)], ignore_conflicts=True)
        RejectedAppends.objects.filter(minute=minute).update(count=F("count") + count)
        with _lock:
            _noted[minute] -= count
            if not _noted[minute]:
                del _noted[minute]
    return sum(taken.values())


def keep_writing_rejections() -> None:
    """Write down what is noted now and again, for as long as this process lives."""
    keep_writing(write_rejections, what="refused appends", every_seconds=REJECTIONS_ROUND_SECONDS, logger=logger)


def count_rejected_appends(*, now: datetime, seconds: int) -> int:
    """Count the appends that were refused in the last so many seconds, to the minute."""
    since = (now - timedelta(seconds=seconds)).replace(second=0, microsecond=0)
    return RejectedAppends.objects.filter(minute__gt=since).aggregate(sum=Sum("count"))["sum"] or 0


def delete_old_rejections(*, now: datetime) -> int:
    """Forget the minutes that nobody asks about any more; return how many."""
    before = now - timedelta(seconds=REJECTIONS_KEEP_SECONDS)
    return RejectedAppends.objects.filter(minute__lt=before).delete()[0]
