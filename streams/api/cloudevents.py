"""CloudEvents over HTTP: which requests bring them and how, and who asks for them."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NamedTuple

from django.http import HttpRequest

from accounts.errors import NotAcceptable
from accounts.http.bodies import read_any_body_async
from accounts.http.header_lines import repeated_headers
from streams.cloudevents.binary import BinaryEvent, attribute_headers, decode_binary
from streams.cloudevents.structured import decode_batch, decode_structured
from streams.conf import MAX_REQUEST_BYTES
from streams.envelope import Envelope
from streams.errors import EventFault

CLOUDEVENT: Final = "application/cloudevents+json"
CLOUDEVENT_BATCH: Final = "application/cloudevents-batch+json"
CLOUDEVENT_TYPES: Final = (CLOUDEVENT, CLOUDEVENT_BATCH)
# Of a CloudEvent in binary mode, and of no other request.
BINARY_MARK: Final = "HTTP_CE_SPECVERSION"
MARK_MISSING: Final = EventFault(
    "/specversion", "required", "Headers that begin with ce- are of a CloudEvent, which has ce-specversion: 1.0 too."
)


class CloudEventsIn(NamedTuple):
    """CloudEvents of a request, whose body has come.

    Attributes:
        size: of the body, in bytes.
        identity: what makes the request the same one, beside its address.
        decode: returns them as envelopes, and whether it is a single one and no batch.
    """

    size: int
    identity: bytes
    decode: Callable[[], tuple[list[Envelope], bool]]


def read_structured(media_type: str, body: bytes) -> CloudEventsIn:
    """Return what a body of one of `CLOUDEVENT_TYPES` brings."""
    decode = partial(decode_structured if media_type == CLOUDEVENT else decode_batch, body)
    return CloudEventsIn(len(body), b"%b\n%b" % (media_type.encode(), body), decode)


def is_binary(meta: Mapping[str, Any]) -> bool:
    """Whether a request brings a CloudEvent in binary mode: the structured modes may have the same headers."""
    return not meta.get("CONTENT_TYPE", "").strip().lower().startswith("application/cloudevents")


def lacks_its_mark(meta: Mapping[str, Any]) -> bool:
    """Whether a request has headers of a CloudEvent in binary mode, but not the one that makes it one."""
    return BINARY_MARK not in meta and is_binary(meta) and bool(attribute_headers(meta))


async def read_binary(request: HttpRequest) -> CloudEventsIn:
    """Return what a request in binary mode brings."""
    content_type, body = await read_any_body_async(request, limit=MAX_REQUEST_BYTES)
    event = BinaryEvent(attribute_headers(request.META), repeated_headers(request), content_type, body)
    return CloudEventsIn(len(body), event.identity + body, partial(decode_binary, event))


def wants(request: HttpRequest, media_type: str) -> bool:
    """Whether the caller would rather have this kind of CloudEvents than plain JSON.

    Raises:
        NotAcceptable: they ask for another kind of CloudEvents, and for nothing else that there is.
    """
    accept = request.META.get("HTTP_ACCEPT")
    # Nearly nobody says it, and all else is answered in JSON.
    if accept is None or "cloudevents" not in accept.lower():
        return False
    weights = dict(_weighed(part) for part in accept.lower().split(","))
    weight = weights.get(media_type, 0.0)
    if weight > 0:
        return weight >= weights.get("application/json", 0.0)
    if any(weights.get(each, 0.0) > 0 for each in ("application/json", "application/*", "*/*")):
        return False
    raise NotAcceptable(media_type)


def _weighed(part: str) -> tuple[str, float]:
    """Return a media type of `Accept` and how much it is wanted; what cannot be read is not."""
    media_type, *parameters = (each.strip() for each in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_type, float(value)
            except ValueError:
                return media_type, 0.0
    return media_type, 1.0
