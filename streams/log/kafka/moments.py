"""Kafka counts time in milliseconds since 1970."""

from datetime import datetime
from typing import Final

from streams.times import count_microseconds, moment_of

_MICROSECONDS: Final = 1_000


def first_millisecond(moment: datetime) -> int:
    """Return the first millisecond that is not before a moment."""
    return -(-count_microseconds(moment) // _MICROSECONDS)


def moment_of_millisecond(milliseconds: int) -> datetime:
    """Return the moment that a record's timestamp says."""
    return moment_of(milliseconds * _MICROSECONDS)
