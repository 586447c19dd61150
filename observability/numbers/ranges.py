"""Which stretch of time somebody wants to see of a group, and how long a point of it is."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import QueryDict

from accounts.errors import InvalidParameter
from accounts.http.parameters import moment_parameter
from observability.conf import (
    GROUP_HOURS_KEEP_SECONDS,
    GROUP_MAX_POINTS,
    GROUP_MINUTES_KEEP_SECONDS,
    GROUP_STEPS_SECONDS,
)
from observability.numbers.window import window_parameter

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A stretch of time, cut into points of one length.

    Attributes:
        first: where the first point begins.
        until: where the last one ends at the latest; None: it is the present one.
    """

    first: datetime
    until: datetime | None
    step: timedelta

    @property
    def is_by_the_hour(self) -> bool:
        """Whether it is too long, or too long ago, for what is recorded by the minute."""
        return self.step >= HOUR

    def starts(self, *, now: datetime) -> list[datetime]:
        """Where its points begin."""
        last = floor(now, self.step)
        if self.until is not None:
            last = min(last, floor(self.until - timedelta.resolution, self.step))
        return [self.first + number * self.step for number in range((last - self.first) // self.step + 1)]


def range_of_window(seconds: int, *, now: datetime) -> TimeRange:
    """The last so many seconds, the point under way included."""
    begins_at = now - timedelta(seconds=seconds)
    step = _step(begins_at, now, now)
    return TimeRange(floor(begins_at, step) + step, None, step)


def range_between(begins_at: datetime, ends_at: datetime | None, *, now: datetime) -> TimeRange:
    """The stretch from one moment to another, or up to now.

    Raises:
        InvalidParameter: `from` is not before `to` and now, or before what is kept.
    """
    kept = timedelta(seconds=GROUP_HOURS_KEEP_SECONDS)
    if begins_at >= now:
        raise InvalidParameter("from", "Must have passed.")
    if begins_at < now - kept:
        raise InvalidParameter(
            "from", f"Only the last {kept.days} days are kept: since {now - kept:%Y-%m-%d %H:%M} UTC."
        )
    if ends_at is not None and ends_at <= begins_at:
        raise InvalidParameter("to", "Must be later than `from`.")
    until = ends_at if ends_at and ends_at < now else None
    step = _step(begins_at, until or now, now)
    return TimeRange(floor(begins_at, step), until, step)


def range_parameters(query: QueryDict, *, now: datetime) -> TimeRange:
    """Return the range of `window`, or of `from` and `to`; the last hour where none is there.

    Raises:
        InvalidParameter
    """
    begins_at, ends_at = moment_parameter(query, "from"), moment_parameter(query, "to")
    if begins_at is None and ends_at is None:
        return range_of_window(window_parameter(query), now=now)
    if "window" in query:
        raise InvalidParameter("window", "Give either `window` or `from`.")
    if begins_at is None:
        raise InvalidParameter("from", "Is missing: `to` says only where to stop.")
    return range_between(begins_at, ends_at, now=now)


def floor(moment: datetime, step: timedelta) -> datetime:
    """Where the point begins that a moment lies in."""
    return EPOCH + (moment - EPOCH) // step * step


def _step(begins_at: datetime, ends_at: datetime, now: datetime) -> timedelta:
    """The shortest step that does not make too many points, and that is still kept."""
    shortest = timedelta(seconds=max(1.0, (ends_at - begins_at).total_seconds() / GROUP_MAX_POINTS))
    if begins_at < now - timedelta(seconds=GROUP_MINUTES_KEEP_SECONDS):
        shortest = max(shortest, HOUR)
    return next(step for step in map(_seconds, GROUP_STEPS_SECONDS) if step >= shortest)


def _seconds(step: int) -> timedelta:
    return timedelta(seconds=step)
