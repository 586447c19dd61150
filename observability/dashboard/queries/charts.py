"""Points over time as the charts' script reads them: a value a second, of events or of bytes. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from observability.numbers.series import Point

# A point that has just begun says nothing yet: it is drawn like the one before.
BEGUN_SECONDS = 10


def rate_chart(points: Sequence[Point], *, step: timedelta, now: datetime) -> dict[str, Any]:
    """Events a second."""
    values = _rates(points, [point.events for point in points], step, now)
    return {"x": _beginnings(points), "series": [{"label": "events/s", "values": values}]}


def size_chart(points: Sequence[Point], *, step: timedelta, now: datetime) -> dict[str, Any]:
    """Bytes of JSON a second."""
    values = _rates(points, [point.bytes for point in points], step, now)
    return {"x": _beginnings(points), "unit": "bytes", "series": [{"label": "a second", "values": values}]}


def _beginnings(points: Sequence[Point]) -> list[int]:
    return [int(point.start.timestamp()) for point in points]


def _rates(points: Sequence[Point], values: Sequence[int], step: timedelta, now: datetime) -> list[float]:
    whole = step.total_seconds()
    rates = [round(value / whole, 6) for value in values[:-1]]
    if values:
        elapsed = (now - points[-1].start).total_seconds()
        latest = round(values[-1] / max(1.0, min(whole, elapsed)), 6)
        rates.append(latest if elapsed >= BEGUN_SECONDS or not rates else rates[-1])
    return rates
