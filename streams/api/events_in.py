"""The events of a request, in whichever form they come."""

from functools import partial

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


# Events (none where a batch of CloudEvents is empty); whether there is one and not in an array; the size of the body in
# bytes; what makes the request the same one, beside its address; whether they came as CloudEvents.
EventsIn = tuple[list[Envelope], bool, int, bytes, bool]


async def read_events(request: HttpRequest, caller: Caller) -> EventsIn:
    """Return the events of a request, paid for.

    Raises:
        Whatever `read_body_async`, `decode_events` and their like for CloudEvents raise; RateLimited.
    """
    meta, rates, are_cloudevents, are_lines = request.META, get_rates(), False, False
    try:
        if BINARY_MARK in meta and is_binary(meta):
            are_cloudevents = True
            size, identity, decode = await read_binary(request)
        else:
            media_type, identity = await read_body_async(request, limit=MAX_REQUEST_BYTES, media_types=MEDIA_TYPES)
            are_lines = media_type == NDJSON
            size, decode = len(identity), partial(decode_events, identity, is_ndjson=are_lines)
            if media_type in CLOUDEVENT_TYPES:
                are_cloudevents = True
                size, identity, decode = read_structured(media_type, identity)
        rates.spend(caller, BYTES, size)
        events, is_single = await off_the_loop_if_long(decode, size=size)
        if are_lines and len(events) == 1:
            # The bytes are those of an event as JSON, whose answer is another.
            identity = b"%b\n%b" % (NDJSON.encode(), identity)
    except (UnsupportedMediaType, InvalidEvents) as error:
        if lacks_its_mark(meta):
            raise InvalidEvents([MARK_MISSING]) from error
        raise
    rates.spend(caller, EVENTS, len(events))
    if "HTTP_TRACEPARENT" in meta:
        keep_traceparent(events, meta["HTTP_TRACEPARENT"])
    return events, is_single, size, identity, are_cloudevents
