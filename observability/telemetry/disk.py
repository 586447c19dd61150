"""Is the disk about to be full? Read from the newest sample, and said in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from observability.conf import DISK_LOW_PERCENT, DISK_LOW_SECONDS, DISK_STALE_SECONDS
from observability.models import DiskSample


@dataclass(frozen=True, slots=True)
class DiskStanding:
    """How full the disk is; `full_seconds` until nothing is free, or None if that is not in sight."""

    used_bytes: int
    capacity_bytes: int
    full_seconds: float | None

    @property
    def is_low(self) -> bool:
        """Whether somebody should make room: much is used, or the rest is used up within a week."""
        return self.used_bytes * 100 > self.capacity_bytes * DISK_LOW_PERCENT or self._is_full_soon

    @property
    def words(self) -> str:
        """ "91 % full", and when it will be full if that is soon."""
        share = f"{self.used_bytes * 100 // self.capacity_bytes} % full"
        if self.full_seconds is None or not self._is_full_soon:
            return share
        return f"{share}, and at this rate full in {_about(self.full_seconds)}"

    @property
    def _is_full_soon(self) -> bool:
        return self.full_seconds is not None and self.full_seconds < DISK_LOW_SECONDS


def find_disk_standing(*, now: datetime) -> DiskStanding | None:
    """Return how the disk stands; None if nobody has looked for an hour, or nobody said which disk it is."""
    newest = DiskSample.objects.filter(period__gt=now - timedelta(seconds=DISK_STALE_SECONDS)).order_by("-period")
    sample = newest.first()
    if sample is None:
        return None
    seconds = max(0.0, (sample.full_at - now).total_seconds()) if sample.full_at else None
    return DiskStanding(sample.used_bytes, sample.capacity_bytes, seconds)


def _about(seconds: float) -> str:
    """Roughly, as an estimate should be said: 5 hours, 3 days."""
    hours, days = round(seconds / 3600), round(seconds / 86400)
    if hours < 1:
        return "less than an hour"
    if hours < 48:
        return f"about {hours} hour{'' if hours == 1 else 's'}"
    return f"about {days} days"
