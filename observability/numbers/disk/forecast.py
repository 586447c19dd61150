"""When will the disk be full, if all goes on as it did? A pure estimate."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from observability.conf import DISK_FORECAST_MIN_SAMPLES, DISK_FORECAST_MIN_SECONDS, DISK_HORIZON_SECONDS

# A capacity that differs by more than this part is another disk, or a disk that was made larger. Some file systems
# share their room with others, so that it drifts a little all the time.
ANOTHER_CAPACITY = 0.01


@dataclass(frozen=True, slots=True)
class Room:
    """What was used of a disk, and how much there was; `at` in seconds since 1970."""

    at: float
    used_bytes: int
    capacity_bytes: int

    @property
    def free_bytes(self) -> int:
        return max(0, self.capacity_bytes - self.used_bytes)


def seconds_until_full(samples: Sequence[Room]) -> float | None:
    """Return the seconds from the last of the samples, which are in order of time, until nothing is free.

    None when it does not fill up any further, or not within a year, or when the samples since its capacity last
    changed are too few or span too little time. The rate is the median of those between any two samples
    (Theil-Sen): a file that came or went in between does not sway it.
    """
    alike = _since_capacity_changed(samples)
    if len(alike) < DISK_FORECAST_MIN_SAMPLES or alike[-1].at - alike[0].at < DISK_FORECAST_MIN_SECONDS:
        return None
    lost_per_second = median(
        (earlier.free_bytes - later.free_bytes) / (later.at - earlier.at)
        for earlier, later in combinations(alike, 2)
        if later.at > earlier.at
    )
    free = alike[-1].free_bytes
    # Compared before it is divided: next to nothing a second is never, not a date that no calendar has.
    if lost_per_second <= 0 or free > lost_per_second * DISK_HORIZON_SECONDS:
        return None
    return free / lost_per_second


def _since_capacity_changed(samples: Sequence[Room]) -> Sequence[Room]:
    for number in range(len(samples) - 1, 0, -1):
        before, after = samples[number - 1].capacity_bytes, samples[number].capacity_bytes
        if abs(after - before) > before * ANOTHER_CAPACITY:
            return samples[number:]
    return samples
