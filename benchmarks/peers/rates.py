"""What one line of the comparison says of one system."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second, and how long one took: the median and the 99th percentile, in milliseconds, where known."""

    per_second: float
    p50: float | None = None
    p99: float | None = None
