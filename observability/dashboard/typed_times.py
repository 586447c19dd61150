"""Times that people type: each is meant in the zone that its form names, or else in that of whoever asks."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from accounts.errors import InvalidParameter
from accounts.time_zones import find_zone

# The field that says in which zone a form's times are meant: an address that is passed on means the same to everybody.
ZONE = "zone"
LONGEST_ZONE = 64


def moment_of(text: str, field: str = "time", *, zone: str = "", is_end: bool = False) -> datetime:
    """Return a time that was typed, or that a script wrote with its offset.

    Of an hour that comes twice, when clocks are put back, the first is meant; as an end, the second: a range has both.

    Args:
        zone: in which it is meant if it says nothing itself; empty: in the zone of whoever asks.

    Raises:
        InvalidParameter: it is none, or clocks skip it; the form's `field` is at fault.
    """
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None:
        raise InvalidParameter(field, "Write a date and a time, such as 2026-11-22T10:00.")
    if moment.tzinfo:
        return moment
    meant = _zone_named(zone, field)
    moment = moment.replace(tzinfo=meant, fold=int(is_end))
    try:
        is_skipped = moment.astimezone(UTC).astimezone(meant).replace(tzinfo=None) != moment.replace(tzinfo=None)
    except OverflowError:
        raise InvalidParameter(field, "Is too far away.") from None
    if is_skipped:
        raise InvalidParameter(field, f"Clocks in {meant} skip this time: there is no {moment:%H:%M} on that day.")
    return moment


def field_text(text: str, zone: str = "") -> str:
    """Return what a field of date and time shows for a text of the address: in the zone of whoever asks."""
    try:
        moment = moment_of(text, zone=zone)
        shown = timezone.localtime(moment).replace(tzinfo=None).isoformat(timespec="seconds")
    except (InvalidParameter, OverflowError, ValueError):
        return text[:19]
    # Typed without seconds, it is shown without.
    return shown[:16] if len(text) == 16 else shown


def zone_of(values: Mapping[str, str]) -> str:
    """Return the zone that a form named."""
    return values.get(ZONE, "")[:LONGEST_ZONE]


def _zone_named(name: str, field: str) -> tzinfo:
    if not name:
        return timezone.get_current_timezone()
    found = find_zone(name)
    if found is None:
        raise InvalidParameter(field, f"There is no time zone {name}.")
    return found
