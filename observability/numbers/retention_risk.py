"""When will retention take an event that somebody has not finished? A pure estimate."""

from dataclasses import dataclass

from consumers.progress import count_lag
from streams.log.protocol import Bounds


@dataclass(frozen=True, slots=True)
class RetentionLimits:
    """What one partition keeps: its share of the stream's limits. None: no such limit."""

    max_age_seconds: int | None = None
    max_bytes: int | None = None
    max_events: int | None = None


def share_limits(
    *, max_age_seconds: int | None, max_bytes: int | None, max_events: int | None, partitions: int
) -> RetentionLimits:
    """Return a partition's share of its stream's limits, as retention itself shares them out."""
    return RetentionLimits(
        max_age_seconds=max_age_seconds,
        max_bytes=max_bytes // partitions if max_bytes else None,
        max_events=max(1, max_events // partitions) if max_events else None,
    )


def seconds_until_taken(
    bounds: Bounds,
    limits: RetentionLimits,
    *,
    committed_offset: int,
    age_seconds: float,
    stored_bytes: int,
    rate_per_second: float,
) -> float | None:
    """Return the seconds until retention may take the first event after `committed_offset`, which exists.

    0 when one is gone already, None when no limit will ever reach it. By age this is exact; by count and by
    size it goes on from the present rate, and takes all kept events to be of the same size.

    Args:
        age_seconds: of the first unfinished event.
        stored_bytes: of all kept events of the partition.
        rate_per_second: events that the partition gains.
    """
    if committed_offset < bounds.earliest_offset - 1:
        return 0.0
    unfinished = count_lag(bounds=bounds, committed_offset=committed_offset)
    estimates: list[float] = []
    if limits.max_age_seconds is not None:
        estimates.append(limits.max_age_seconds - age_seconds)
    room: list[float] = []
    if limits.max_events is not None:
        room.append(limits.max_events - unfinished)
    if limits.max_bytes is not None and bounds.event_count > 0:
        event_bytes = max(1.0, stored_bytes / bounds.event_count)
        room.append(limits.max_bytes / event_bytes - unfinished)
    for events in room:
        if events <= 0:
            estimates.append(0.0)
        elif rate_per_second > 0:
            estimates.append(events / rate_per_second)
    return max(0.0, min(estimates)) if estimates else None
