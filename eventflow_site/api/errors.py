"""Every exception that leaves an API view becomes a problem here."""

import logging
from dataclasses import asdict
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db.utils import InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from psycopg_pool import PoolTimeout
from rest_framework import exceptions as drf

from accounts.conf import MAX_FAULTS
from accounts.errors import (
    BodyTooSlow,
    DomainError,
    EmptyBody,
    InvalidParameter,
    LoginThrottled,
    PreconditionFailed,
    QuotaExceeded,
    RateLimited,
    TooManyValues,
    UnknownField,
    UnusableFields,
)
from accounts.http.parsers import has_no_body
from consumers.errors import LeaseLost
from eventflow_site.api.problems import Problem
from eventflow_site.api.statuses import RETRYABLE_ERRORS, RETRYABLE_STATUSES, status_of
from observability.numbers.rejections import note_rejected_append
from streams.api.append import AppendView
from streams.errors import (
    AppendNotStored,
    HeadMoved,
    IncompatibleSchema,
    InvalidEvents,
    InvalidPayloads,
    InvalidSchema,
    LogUnavailable,
)
from streams.metrics import count_rejection

logger = logging.getLogger("eventflow.api")

RETRY_AFTER_SECONDS = "1"
NOT_STORED = {"EventFlow-Stored": "no"}
# A server that is no primary, or not now.
_READ_ONLY = "25006"
# Rolled back for certain: lock or statement timeout, deadlock, serialization failure.
_ROLLED_BACK = frozenset({"55P03", "57014", "40P01", "40001", _READ_ONLY})


def problem_handler(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler: any error, a problem."""
    request = context["request"]
    problem = problem_of(error, request)
    count_rejection(problem.code)
    if request.method == "POST" and isinstance(context.get("view"), AppendView):
        note_rejected_append()
    response = problem.as_response(request)
    if response.status_code == 401:
        response["WWW-Authenticate"] = 'Bearer realm="eventflow"'
    return response


def problem_of(error: Exception, request: HttpRequest) -> Problem:
    """Return what to tell the caller about `error`; what we did wrong is logged, not told."""
    if isinstance(error, DomainError):
        return _of_domain_error(error)
    if isinstance(error, drf.ValidationError):
        return _of_validation_error(error, request)
    if isinstance(error, Http404 | drf.NotFound):
        return Problem(404, "not_found", "Not found", "There is nothing at this address, or you may not see it.")
    if isinstance(error, drf.MethodNotAllowed):
        return Problem(405, "method_not_allowed", "Method not allowed", f"{request.method} is not possible here.")
    if isinstance(error, drf.NotAuthenticated | drf.AuthenticationFailed):
        return Problem(401, "credentials_missing", "Credentials missing", "Send an access token or an API key.")
    if isinstance(error, drf.PermissionDenied | PermissionDenied):
        return Problem(403, "scope_missing", "Right missing", "You may not do this.")
    if isinstance(error, SuspiciousOperation):
        return Problem(400, "bad_request", "Bad request", "The request is not acceptable.")
    if isinstance(error, OperationalError | InterfaceError | PoolTimeout) or _is_read_only(error):
        return _of_database_error(error)
    logger.error("unexpected error", exc_info=error)
    return Problem(
        500,
        "internal_error",
        "Internal error",
        "Something broke on our side; the request id finds it in the logs.",
        retryable=True,
    )


def _of_validation_error(error: drf.ValidationError, request: HttpRequest) -> Problem:
    if has_no_body(request):
        return _of_domain_error(EmptyBody())
    if request.method in ("GET", "HEAD"):
        return _of_filters(error)
    faults = _faults(error.detail)
    if all(fault["code"] == UnknownField.code for fault in faults):
        names = ", ".join(fault["pointer"] for fault in faults[:5])
        return Problem(422, UnknownField.code, UnknownField.title, f"Not known: {names[:200]}.", errors=faults)
    return Problem(422, "invalid_request", "Invalid request", "Some fields cannot be accepted.", errors=faults)


def _of_filters(error: drf.ValidationError) -> Problem:
    """A filter of a list that makes no sense: told as any other parameter is."""
    faults = [fault | {"pointer": f"?{fault['pointer'].removeprefix('/')}"} for fault in _faults(error.detail)]
    return Problem(422, InvalidParameter.code, InvalidParameter.title, faults[0]["detail"], errors=faults)


def _of_domain_error(error: DomainError) -> Problem:
    status = status_of(error)
    faults: list[dict[str, Any]] = []
    if isinstance(error, InvalidPayloads):
        faults = [asdict(fault) for fault in error.faults[:MAX_FAULTS]]
    elif isinstance(error, InvalidSchema | IncompatibleSchema):
        faults = [
            {"pointer": f"/schema{fault.pointer}", "code": fault.code, "detail": fault.detail}
            for fault in error.faults[:MAX_FAULTS]
        ]
    elif isinstance(error, InvalidEvents | UnusableFields):
        faults = [{"pointer": f.pointer, "code": f.code, "detail": f.detail} for f in error.faults[:MAX_FAULTS]]
    elif isinstance(error, UnknownField):
        faults = [
            {
                "pointer": f"?{name[:60]}" if error.where == "query" else f"/{_pointer(name)}",
                "code": "unknown_field",
                "detail": "There is no such field.",
            }
            for name in error.names
        ]
    elif isinstance(error, LeaseLost):
        faults = [
            {"pointer": f"/deliveries/{index}", "code": error.code, "detail": f"Delivery {pk} is not yours."}
            for index, pk in enumerate(error.delivery_ids[:MAX_FAULTS])
        ]
    elif isinstance(error, TooManyValues):
        faults = [{"pointer": f"/{_pointer(error.field)}", "code": "max_length", "detail": error.fault}]
    elif isinstance(error, InvalidParameter):
        faults = [{"pointer": f"?{error.parameter}", "code": error.parameter_code, "detail": error.detail}]
    retryable = status in RETRYABLE_STATUSES or isinstance(error, RETRYABLE_ERRORS)
    members: dict[str, str | int] = {}
    if isinstance(error, HeadMoved):
        members = {"head": error.head}
    elif isinstance(error, QuotaExceeded):
        members = {"quota": error.quota}
    elif isinstance(error, RateLimited):
        members = {"bucket": error.bucket}
    return Problem(
        status, error.code, error.title, error.detail, retryable, faults, _headers_of(error, status), members
    )


def _headers_of(error: DomainError, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status in (429, 503):
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    if isinstance(error, AppendNotStored | LogUnavailable):
        headers |= NOT_STORED
    if isinstance(error, BodyTooSlow):
        # What is left of the body would be taken for the next request.
        headers["Connection"] = "close"
    if isinstance(error, PreconditionFailed):
        headers["ETag"] = f'"{error.version}"'
    if isinstance(error, HeadMoved):
        headers["EventFlow-Head-Offset"] = str(error.head)
    if isinstance(error, LoginThrottled | LogUnavailable | RateLimited):
        headers["Retry-After"] = str(error.retry_after_seconds)
    return headers


def _is_read_only(error: Exception) -> bool:
    """Whether the server takes no writes, which the driver files under errors of its own inside."""
    return isinstance(error, InternalError) and _sqlstate_of(error) == _READ_ONLY


def _sqlstate_of(error: Exception) -> str | None:
    return getattr(error.__cause__ or error, "sqlstate", None)


def _of_database_error(error: Exception) -> Problem:
    """The database is away or too busy. Only what certainly rolled back is said to be not stored."""
    cause = error.__cause__ or error
    sqlstate = _sqlstate_of(error)
    is_certain = isinstance(cause, PoolTimeout) or sqlstate in _ROLLED_BACK
    logger.warning("database unavailable: %s", type(cause).__name__, extra={"sqlstate": sqlstate})
    headers = {"Retry-After": RETRY_AFTER_SECONDS} | (NOT_STORED if is_certain else {})
    detail = "The database cannot be reached or is too busy. " + (
        "Nothing was stored; retry." if is_certain else "Retry; use an Idempotency-Key so that nothing happens twice."
    )
    return Problem(503, "database_unavailable", "Database unavailable", detail, retryable=True, headers=headers)


def _faults(detail: Any, pointer: str = "") -> list[dict[str, str]]:
    """Flatten DRF's nested details into JSON pointers."""
    if isinstance(detail, dict):
        items = [(name, value) for name, value in detail.items()]
    elif isinstance(detail, list) and any(isinstance(item, dict | list) for item in detail):
        items = list(enumerate(detail))
    else:
        messages = detail if isinstance(detail, list) else [detail]
        return [{"pointer": pointer, "code": getattr(m, "code", "invalid"), "detail": str(m)[:200]} for m in messages]
    faults: list[dict[str, str]] = []
    for name, value in items:
        here = pointer if name in ("", "non_field_errors") else f"{pointer}/{_pointer(str(name))}"
        faults += _faults(value, here)
        if len(faults) >= MAX_FAULTS:
            break
    return faults[:MAX_FAULTS]


def _pointer(name: str) -> str:
    return name[:60].replace("~", "~0").replace("/", "~1")
