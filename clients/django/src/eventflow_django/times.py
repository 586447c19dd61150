"""Times in rows: with a zone, or without one where the application has USE_TZ = False; then they are in TIME_ZONE."""

from datetime import UTC, datetime

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    """Return the time of now as rows have it."""
    return for_rows(datetime.now(UTC))


def for_rows(moment: datetime) -> datetime:
    """Return a time that has a zone as it is written into a row, or compared with one."""
    return moment if settings.USE_TZ else timezone.make_naive(moment, timezone.get_default_timezone())


def with_zone(moment: datetime) -> datetime:
    """Return a time from a row with its zone; of an hour that comes twice, the first one."""
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment, timezone.get_default_timezone())
