from datetime import UTC, datetime


def format_time(moment: datetime) -> bytes:
    """Return a moment as RFC 3339 in UTC with microseconds: `2026-11-22T10:00:00.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode("ascii")
