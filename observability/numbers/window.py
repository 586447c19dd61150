"""The `window` parameter: how far back to look, as people say it."""

import re

from django.http import QueryDict

from accounts.errors import InvalidParameter
from observability.conf import DEFAULT_WINDOW_SECONDS, MAX_WINDOW_SECONDS, MIN_WINDOW_SECONDS

_WINDOW = re.compile(r"([1-9][0-9]{0,4})(m|h|d)", re.ASCII)
_SECONDS = {"m": 60, "h": 3600, "d": 86400}


def window_parameter(query: QueryDict, name: str = "window") -> int:
    """Return a window in seconds from `30m`, `24h` or `7d`; an hour where it is absent.

    Raises:
        InvalidParameter: not of that form, or not from a minute to 30 days.
    """
    text = query.get(name)
    if text is None:
        return DEFAULT_WINDOW_SECONDS
    match = _WINDOW.fullmatch(text)
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not MIN_WINDOW_SECONDS <= seconds <= MAX_WINDOW_SECONDS:
        raise InvalidParameter(name, "Must be minutes, hours or days from 1m to 30d: `30m`, `24h`, `7d`.")
    return seconds
