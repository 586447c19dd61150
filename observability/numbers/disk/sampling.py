"""One look at the disk: written down, so that pages and scrapes read a row and wait for no disk."""

from datetime import UTC, datetime, timedelta

from observability.conf import DISK_FORECAST_SECONDS, DISK_KEEP_SECONDS, DISK_PERIOD_SECONDS
from observability.models import DiskSample
from observability.numbers.disk.forecast import Room, seconds_until_full
from observability.numbers.disk.measuring import measure_disk


def sample_disk(*, now: datetime) -> int:
    """Write down how full the disk is and when it will be full; a later look renews the sample of its ten minutes.

    Returns how many samples were written: 0 if nobody said which disk it is. Samples older than two days go.

    Raises:
        OSError: the disk cannot be asked.
    """
    room = measure_disk(now=now)
    if room is None:
        return 0
    period = datetime.fromtimestamp(now.timestamp() // DISK_PERIOD_SECONDS * DISK_PERIOD_SECONDS, UTC)
    seconds = seconds_until_full([*_samples_since(now - timedelta(seconds=DISK_FORECAST_SECONDS)), room])
    DiskSample.objects.update_or_create(
        period=period,
        defaults={
            "measured_at": now,
            "used_bytes": room.used_bytes,
            "capacity_bytes": room.capacity_bytes,
            "full_at": None if seconds is None else now + timedelta(seconds=seconds),
        },
    )
    DiskSample.objects.filter(period__lt=now - timedelta(seconds=DISK_KEEP_SECONDS)).delete()
    return 1


def _samples_since(begin: datetime) -> list[Room]:
    rows = DiskSample.objects.filter(period__gt=begin).order_by("period")
    return [
        Room(measured_at.timestamp(), used, capacity)
        for measured_at, used, capacity in rows.values_list("measured_at", "used_bytes", "capacity_bytes")
    ]
