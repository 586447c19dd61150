"""The trace that a request is part of, kept with its events: the header `traceparent` of W3C's Trace Context. Pure."""

import re
from collections.abc import Sequence
from typing import Final

from streams.conf import MAX_HEADERS
from streams.envelope import Envelope

TRACEPARENT: Final = "traceparent"
_traceparent = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def is_traceparent(text: str) -> bool:
    """Whether a text names a trace and a span in it."""
    return _traceparent.fullmatch(text) is not None


def keep_traceparent(events: Sequence[Envelope], traceparent: str) -> None:
    """Give each event that brings none the request's; what names no trace is nobody's, as the standard says.

    An event that has as many headers as it may stays as it is.
    """
    if not is_traceparent(traceparent):
        return
    alone = {TRACEPARENT: traceparent}
    for event in events:
        if not event.headers:
            event.headers = alone
        elif TRACEPARENT not in event.headers and len(event.headers) < MAX_HEADERS:
            event.headers = {**event.headers, **alone}
