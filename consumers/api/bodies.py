"""Bodies of the lease verbs: decoded into typed structs, and refused with a pointer to what is wrong."""

import re
from itertools import islice
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
from django.http import HttpRequest
from msgspec import Meta
from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.conf import MAX_BODY_BYTES
from accounts.errors import ExpectedObject, InvalidUnicode, TooDeep
from accounts.http.bodies import read_body_async
from accounts.http.faults import fault_of
from accounts.http.strict_json import check_syntax, check_text, exceeds_depth, explain_decode_error, outside_strings
from accounts.long_work import off_the_loop_if_long
from consumers.browser_leases import PREFIX, is_browser
from consumers.conf import (
    DEFAULT_LEASE_EVENTS,
    MAX_ACK_WAIT_SECONDS,
    MAX_BACKOFF_SECONDS,
    MAX_CONSUMER_CHARACTERS,
    MAX_LEASE_EVENTS,
    MAX_OUTCOME_DELIVERIES,
)
from streams.conf import MAX_OFFSET, MAX_WAIT_SECONDS

_WORDS = {"unknown_field": "There is no such field.", "required": "This field is required."}
_Body = TypeVar("_Body")
# Each takes a hundred times as long to read as any other number.
_TINY = re.compile(rb"[0-9.][eE]-[0-9]{3,}[,}\]\s]")
MAX_TINY_NUMBERS = 100

# What OpenAPI says of these bodies is made from them (`eventflow_site/api/struct_schemas.py`).
DeliveryId = Annotated[int, Meta(ge=1, le=MAX_OFFSET)]
Offset = Annotated[int, Meta(ge=1, le=MAX_OFFSET)]
AckWait = Annotated[
    Annotated[float, Meta(ge=1, le=MAX_ACK_WAIT_SECONDS)] | None,
    Meta(description="Seconds; defaults to the group's."),
]
Delay = Annotated[Annotated[float, Meta(ge=0, le=MAX_BACKOFF_SECONDS)] | None, Meta(description="Seconds.")]


class LeaseRequest(msgspec.Struct, forbid_unknown_fields=True):
    """How much, for whom, and how long to wait for something."""

    max_events: Annotated[int, Meta(ge=1, le=MAX_LEASE_EVENTS)] = DEFAULT_LEASE_EVENTS
    wait: Annotated[float, Meta(ge=0, le=MAX_WAIT_SECONDS, description="Seconds.")] = 0.0
    consumer: Annotated[
        Annotated[str, Meta(min_length=1, max_length=MAX_CONSUMER_CHARACTERS)] | None,
        Meta(description=f"A name for people, which does not begin with `{PREFIX}`; defaults to the caller."),
    ] = None
    ack_wait: AckWait = None


class FailedItem(msgspec.Struct, forbid_unknown_fields=True):
    """One event that failed: it goes on by itself, after the group's backoff or its own delay."""

    offset: Offset
    error: Annotated[str, Meta(description="Kept up to 2,000 characters.")] = ""
    delay: Delay = None
    terminal: Annotated[bool, Meta(description="No further attempt: a dead letter at once.")] = False


class LeaseItem(msgspec.Struct, forbid_unknown_fields=True):
    delivery_id: DeliveryId
    lease_token: UUID


class AckItem(LeaseItem, forbid_unknown_fields=True):
    failed: Annotated[list[FailedItem], Meta(max_length=MAX_LEASE_EVENTS)] = []


class NackItem(LeaseItem, forbid_unknown_fields=True):
    error: str = ""
    delay: Delay = None
    terminal: bool = False


_Items = Meta(min_length=1, max_length=MAX_OUTCOME_DELIVERIES)


class AckRequest(msgspec.Struct, forbid_unknown_fields=True):
    deliveries: Annotated[list[AckItem], _Items]


class NackRequest(msgspec.Struct, forbid_unknown_fields=True):
    deliveries: Annotated[list[NackItem], _Items]


class ReleaseRequest(msgspec.Struct, forbid_unknown_fields=True):
    deliveries: Annotated[list[LeaseItem], _Items]


class ExtendRequest(msgspec.Struct, forbid_unknown_fields=True):
    deliveries: Annotated[list[LeaseItem], _Items]
    ack_wait: AckWait = None


async def decode_body(request: HttpRequest, decoder: msgspec.json.Decoder[_Body]) -> _Body:
    """Return the request's body as the decoder's struct.

    Raises:
        InvalidUtf8, InvalidUnicode, InvalidJson, ExpectedObject, TooDeep, PayloadTooLarge, …: see `read_body`.
        ValidationError: it is JSON, but not what the verb takes.
    """
    _, body = await read_body_async(request, limit=MAX_BODY_BYTES)
    return await off_the_loop_if_long(lambda: _decode(body, decoder), size=len(body))


def _has_many_tiny_numbers(body: bytes) -> bool:
    # Texts may have as many as they like: an error message of a numerical program, say.
    if len(list(islice(_TINY.finditer(body), MAX_TINY_NUMBERS + 1))) <= MAX_TINY_NUMBERS:
        return False
    return len(_TINY.findall(outside_strings(body))) > MAX_TINY_NUMBERS


def _decode(body: bytes, decoder: msgspec.json.Decoder[_Body]) -> _Body:
    check_text(body)
    if _has_many_tiny_numbers(body):
        raise invalid("deliveries", "Too many numbers that are next to nothing.", "out_of_range")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        # The decoder stops at the first thing that is wrong: what follows must be JSON too.
        _check_json(body)
        raise _problem(error) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise explain_decode_error(error, body) from error


def check_consumer(name: str) -> None:
    """Refuse a name that a screen or a log line could trip over, or that says a person holds it in a browser.

    Raises:
        InvalidUnicode, ValidationError
    """
    if "\x00" in name:
        raise InvalidUnicode("Text here must not contain \\u0000.")
    if not name.isprintable():
        raise invalid("consumer", "Must not have control or invisible characters.", "invalid")
    if is_browser(name):
        raise invalid("consumer", f"Names that begin with {PREFIX} are those of people in the dashboard.", "reserved")


def check_unique(items: list[Any]) -> None:
    """Refuse a request that names a delivery twice: which of the two would count?

    Raises:
        ValidationError
    """
    seen: set[int] = set()
    for index, item in enumerate(items):
        if item.delivery_id in seen:
            raise invalid(f"deliveries/{index}/delivery_id", "Name each delivery once.", "repeated")
        seen.add(item.delivery_id)


def invalid(path: str, detail: str, code: str) -> ValidationError:
    """Return the refusal of one place in the body, `deliveries/0/lease_token`."""
    nested: Any = [ErrorDetail(detail[:200], code=code)]
    for part in reversed([part for part in path.split("/") if part]):
        nested = {part: nested}
    return ValidationError(nested)


def _check_json(body: bytes) -> None:
    check_syntax(body)
    if body.lstrip()[:1] != b"{":
        raise ExpectedObject("The body must be a JSON object.")
    if exceeds_depth(body):
        raise TooDeep("Values are nested too deeply.")


def _problem(error: msgspec.ValidationError) -> ValidationError:
    """Say what does not fit in the words of other endpoints."""
    fault = fault_of(error)
    code = "invalid" if fault.code == "expected_object" else fault.code
    return invalid(fault.pointer, _WORDS.get(code, fault.text), code)
