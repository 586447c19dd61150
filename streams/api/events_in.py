"""The events of a request, in whichever form they come."""

from functools import partial
from typing import NamedTuple

from django.http import HttpRequest

from accounts.caller import Caller
from accounts.errors import UnsupportedMediaType
from accounts.http.bodies import JSON, read_body_async
from accounts.limits.rates import BYTES, EVENTS, get_rates
from accounts.long_work import off_the_loop_if_long
from streams.api.cloudevents import (
    BINARY_MARK,
    CLOUDEVENT_TYPES,
    MARK_MISSING,
    is_binary,
    lacks_its_mark,
    read_binary,
    read_structured,
)
from streams.conf import MAX_REQUEST_BYTES
from streams.envelope import Envelope, decode_events
from streams.errors import InvalidEvents
from streams.trace_context import keep_traceparent

NDJSON = "application/x-ndjson"
MEDIA_TYPES = (JSON, NDJSON, *CLOUDEVENT_TYPES)


class EventsIn(NamedTuple):
    """What a request brings.

    Attributes:
        events: none where a batch of CloudEvents is empty.
        is_single: there is one, and not in an array.
        size: of the body, in bytes.
        identity: what makes the request the same one, beside its address.
    """

    events: list[Envelope]
    is_single: bool
    size: int
    identity: bytes
    are_cloudevents: bool


async def read_events(request: HttpRequest, caller: Caller) -> EventsIn:
    """Return the events of a request, paid for.

    Raises:
        Whatever `read_body_async`, `decode_events` and their like for CloudEvents raise; RateLimited.
    """
    try:
        found = await _read(request, caller)
    except (UnsupportedMediaType, InvalidEvents) as error:
        if lacks_its_mark(request.META):
            raise InvalidEvents([MARK_MISSING]) from error
        raise
    get_rates().spend(caller, EVENTS, len(found.events))
    if (traceparent := request.META.get("HTTP_TRACEPARENT")) is not None:
        keep_traceparent(found.events, traceparent)
    return found


async def _read(request: HttpRequest, caller: Caller) -> EventsIn:
    are_cloudevents = True
    if BINARY_MARK in request.META and is_binary(request.META):
        size, identity, decode = await read_binary(request)
    else:
        media_type, identity = await read_body_async(request, limit=MAX_REQUEST_BYTES, media_types=MEDIA_TYPES)
        if media_type in CLOUDEVENT_TYPES:
            size, identity, decode = read_structured(media_type, identity)
        else:
            are_cloudevents = False
            size, decode = len(identity), partial(decode_events, identity, is_ndjson=media_type == NDJSON)
    get_rates().spend(caller, BYTES, size)
    events, is_single = await off_the_loop_if_long(decode, size=size)
    return EventsIn(events, is_single, size, identity, are_cloudevents)
