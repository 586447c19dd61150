"""How the log writes a moment, and counts it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000


def format_time(moment: datetime) -> bytes:
    """Return a moment as RFC 3339 in UTC with microseconds: `2026-11-22T10:00:00.123456Z`."""
    # `isoformat` is ten times as fast as `strftime`, and every batch that is read needs it.
    text = (moment if moment.tzinfo is UTC else moment.astimezone(UTC)).isoformat(timespec="microseconds")
    return b"%bZ" % text.removesuffix("+00:00").encode()


def format_counted(moments: Iterable[int]) -> list[bytes]:
    """Return what `format_time` does of moments that are counted in microseconds since 1970.

    Those that follow each other mostly share their second, which is written once.
    """
    texts: list[bytes] = []
    known: int | None = None
    text = b""
    for moment in moments:
        second, rest = divmod(moment, _SECOND)
        if second != known:
            known, text = second, format_time(moment_of(second * _SECOND)).removesuffix(b"000000Z")
        texts.append(b"%b%06dZ" % (text, rest))
    return texts


def count_microseconds(moment: datetime) -> int:
    """Return a moment as microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds: int) -> datetime:
    """Return the moment so many microseconds after 1970."""
    return _EPOCH + microseconds * _MICROSECOND
