"""How the log writes a moment."""

from datetime import UTC, datetime


def format_time(moment: datetime) -> bytes:
    """Return a moment as RFC 3339 in UTC with microseconds: `2026-11-22T10:00:00.123456Z`."""
    # `isoformat` is ten times as fast as `strftime`, and every batch that is read needs it.
    text = (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")
    return b"%bZ" % text.removesuffix("+00:00").encode()
