"""Times and spans as people type them: `2h`, `90`, `2026-11-22T10:00:00Z`."""

import argparse
import re
from datetime import datetime
from typing import Final

_SPAN: Final = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhd]?)", re.ASCII)
_UNIT_SECONDS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def span(text: str) -> float:
    """Return the seconds of `90`, `90s`, `30m`, `2h` or `7d`.

    Raises:
        argparse.ArgumentTypeError
    """
    found = _SPAN.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no span: 90s, 30m, 2h, 7d")
    return float(found[1]) * _UNIT_SECONDS[found[2]]


def moment(text: str) -> datetime:
    """Return a time that has its zone.

    Raises:
        argparse.ArgumentTypeError
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 2026-11-22T10:00:00Z, or a span such as 2h") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} needs its zone: {text}Z, or {text}+01:00")
    return found


def delay(text: str) -> datetime | float:
    """Return a span from when it is recorded, in seconds, or a time.

    Raises:
        argparse.ArgumentTypeError
    """
    return span(text) if _SPAN.fullmatch(text) else moment(text)
