"""What an alert says to people. Pure."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from observability.alerts.kinds import KINDS
from observability.conf import REJECTIONS_WINDOW_SECONDS
from observability.models import What
from observability.wording import duration, number_of

Said = Callable[[str, float], str]


def _retention_risk(subject: str, value: float) -> str:
    when = f"in {duration(value)}" if value > 0 else "now"
    return f"Retention takes events {when} that {subject} has not finished"


_WINDOW: Final = duration(REJECTIONS_WINDOW_SECONDS)
_SAID: Final[dict[str, Said]] = {
    What.DEAD_LETTERS: lambda subject, value: f"{subject} has {number_of(int(value), 'open dead letter')}",
    What.LAG: lambda subject, value: f"{subject} is {number_of(int(value), 'event')} behind",
    What.LAG_SECONDS: lambda subject, value: f"{subject} is {duration(value)} behind",
    What.SILENT_GROUP: lambda subject, value: f"Nobody has read as {subject} for {duration(value)}",
    What.SILENT_PRODUCER: lambda subject, value: f"{subject} has got no event for {duration(value)}",
    What.RETENTION_RISK: _retention_risk,
    What.LOST: lambda subject, value: f"{subject} has lost {number_of(int(value), 'event')} to retention",
    What.REJECTIONS: lambda _subject, value: f"{number_of(int(value), 'append')} refused in {_WINDOW}",
    What.DISK: lambda _subject, value: f"The disk of the log is {int(value)} % full",
    What.ENGINES: lambda _subject, value: f"{number_of(int(value), 'engine')} beside PostgreSQL cannot be reached",
}
_NO_MORE: Final[dict[str, str]] = {
    What.RETENTION_RISK: "Retention no longer reaches what {subject} has not finished",
    What.ENGINES: "No engine is away",
    What.LOST: "What {subject} has lost was acknowledged",
}
# Of what is paused nobody expects a word.
_SILENT: Final = (What.SILENT_GROUP, What.SILENT_PRODUCER)


def say_limit(what: str, threshold: int) -> str:
    """A threshold as it stands in brackets: 10, 5 min, 85 %."""
    if KINDS[what].is_duration:
        return duration(threshold)
    return f"{threshold} %" if what == What.DISK else f"{threshold:,}"


def say_firing(*, what: str, subject: str, value: float, threshold: int, since: datetime) -> str:
    """orders/billing has 12 open dead letters (threshold 10) since 2026-11-28 11:02 UTC."""
    said = _SAID[what](subject, value)
    return f"{said} (threshold {say_limit(what, threshold)}) since {_moment(since)}."


def say_resolved(
    *, what: str, subject: str, value: float | None, threshold: int, since: datetime, until: datetime
) -> str:
    """Resolved: orders/billing has 3 open dead letters (threshold 10); it lasted 12 min.

    Args:
        value: as it was seen last. One that reaches the threshold is from before: since then there is none.
    """
    is_known = value is not None and not KINDS[what].is_reached(value, threshold)
    if what in _SILENT:
        said = f"{subject} is {'no longer silent' if is_known else 'paused'}"
    elif value is not None and is_known and (value > 0 or what not in _NO_MORE):
        said = _SAID[what](subject, value)
    else:
        said = _NO_MORE.get(what, "{subject} is fine again").format(subject=subject)
    lasted = duration((until - since).total_seconds())
    return f"Resolved: {said} (threshold {say_limit(what, threshold)}); it lasted {lasted}."


def say_test(*, channel: str, asked_by: str) -> str:
    return f"This is a test of the alert channel {channel}, asked for by {asked_by}. Nothing is wrong."


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
