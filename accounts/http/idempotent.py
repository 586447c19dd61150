"""`Idempotency-Key` on the ordinary POSTs: the work and the memory of its answer, in one transaction."""

import functools
import hashlib
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec
import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.asked_before import in_one_transaction
from accounts.caller import caller_of
from accounts.conf import MAX_IDEMPOTENCY_KEY_LENGTH
from accounts.errors import InvalidIdempotencyKey
from accounts.services.idempotency import claim_idempotency_key, keep_answer

_KEY_PATTERN = rf"[\x21\x23-\x2b\x2d-\x7e]{{1,{MAX_IDEMPOTENCY_KEY_LENGTH}}}"
Answered = TypeVar("Answered", bound=HttpResponseBase)
_KEY = re.compile(_KEY_PATTERN, re.ASCII)
# What OpenAPI says of a request that may be sent again.
IDEMPOTENCY: Final = (
    OpenApiParameter(
        "Idempotency-Key",
        {"type": "string", "pattern": f"^{_KEY_PATTERN}$"},
        OpenApiParameter.HEADER,
        description="Yours for this request: however often it is sent with it, it is done once.",
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        response=[200, 201, 202],
        description="There if this is what was answered to the first request with the same `Idempotency-Key`.",
    ),
)


def idempotency_key_of(request: HttpRequest | Request) -> str | None:
    """Return the request's `Idempotency-Key`, if it has one.

    Raises:
        InvalidIdempotencyKey: empty, too long, quoted, several, or not printable ASCII.
    """
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    return None if key is None else check_idempotency_key(key)


def check_idempotency_key(key: str) -> str:
    """Return the key, from a header or a form, if it may be one.

    Raises:
        InvalidIdempotencyKey
    """
    if not _KEY.fullmatch(key):
        raise InvalidIdempotencyKey(
            f"One key of 1 to {MAX_IDEMPOTENCY_KEY_LENGTH} printable ASCII characters, no spaces, commas or quotes."
        )
    return key


def hash_request(method: str, path: str, body: bytes) -> bytes:
    """SHA-256 of what makes a request the same one."""
    digest = hashlib.sha256(f"{method} {path}\n".encode())
    digest.update(body)
    return digest.digest()


def idempotent(
    *, redact: tuple[str, ...] = (), prepare: Callable[[Request], object] | None = None
) -> Callable[[Any], Any]:
    """Make a POST handler answer a retry with the same key from memory.

    A handler that raises leaves no memory: the caller mends the request and tries again.

    Args:
        redact: fields that a replay answers as null, since they must not be kept (a key's secret).
        prepare: does what may not be done within a transaction; the handler gets what it returns. It comes before a
            retry is known as one, so what it makes must do no harm where nobody uses it.
    """

    def decorate(handler: Callable[..., Response]) -> Callable[..., Response | HttpResponse]:
        @functools.wraps(handler)
        def answer(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response | HttpResponse:
            key = idempotency_key_of(request)
            if prepare is not None:
                args = (prepare(request), *args)
            if key is None:
                return handler(view, request, *args, **kwargs)

            def act() -> tuple[Response, bytes]:
                response = handler(view, request, *args, **kwargs)
                kept = {**response.data, **dict.fromkeys(redact)} if redact else response.data
                return response, b"" if kept is None else orjson.dumps(kept, default=str)

            return act_once(request, key=key, document=request.data, act=act)

        answer.is_idempotent = True  # type: ignore[attr-defined]
        return answer

    return decorate


def act_once(
    request: HttpRequest | Request, *, key: str, document: Any, act: Callable[[], tuple[Answered, bytes]]
) -> Answered | HttpResponse:
    """Act and keep the answer, in one transaction; or answer as the first request with this key was answered.

    Args:
        document: what the body says.
        act: returns the answer and what of it is to be kept.

    Raises:
        IdempotencyKeyReused, IdempotencyInProgress
    """
    caller = caller_of(request).reference
    body = msgspec.json.encode(document, order="deterministic")
    request_hash = hash_request(request.method or "POST", request.path, body)

    def claim_and_act() -> Answered | HttpResponse:
        replay = claim_idempotency_key(caller=caller, key=key, request_hash=request_hash)
        if replay is not None:
            return HttpResponse(
                replay.body,
                status=replay.status,
                content_type="application/json",
                headers={"Idempotent-Replayed": "true"},
            )
        response, kept = act()
        keep_answer(caller=caller, key=key, status=response.status_code, body=kept)
        return response

    return in_one_transaction(claim_and_act)
