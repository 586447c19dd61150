"""The time zones that a person can choose, as IANA names them."""

from datetime import UTC, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

MAX_NAME_LENGTH = 64
# Of the names that a machine knows, those that people look for: not its own folders, nor `EST` or `Etc/GMT-3`.
AREAS = (
    "Africa",
    "America",
    "Antarctica",
    "Arctic",
    "Asia",
    "Atlantic",
    "Australia",
    "Europe",
    "Indian",
    "Pacific",
)


@cache
def zones_by_area() -> dict[str, tuple[str, ...]]:
    """Return all that can be chosen but UTC: area → names, in order."""
    names = sorted(available_timezones())
    return {area: tuple(name for name in names if name.startswith(f"{area}/")) for area in AREAS}


@cache
def offered_zones() -> frozenset[str]:
    return frozenset({"UTC"}.union(*zones_by_area().values()))


def find_zone(name: str) -> tzinfo | None:
    """Return the zone of this name; None if it is empty, or this machine does not know it (any more)."""
    if name == "UTC":
        # Known also where no zones are installed.
        return UTC
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # The last two: names that lead out of the folder of zones, and names of folders in it.
        return None
