"""What an answer says of a request, by the server's outcome contract, and when another attempt is worth it."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from . import problems
from .errors import FieldError, Problem

# Whoever answers these in the server's place (a proxy, a load balancer) knows nothing of what became of the request.
UNKNOWN_STATUSES = frozenset({408, 500, 502, 503, 504})
RETRIED_STATUSES = UNKNOWN_STATUSES | {429}


@dataclass(frozen=True, slots=True)
class Retries:
    """How often, and for how long, a request is tried.

    Attributes:
        attempt_seconds: how long one attempt may take, without what it waits on purpose.
        total_seconds: after which no further attempt is begun.
        first_pause_seconds: before the second attempt; doubles with each, with jitter.
        longest_pause_seconds: between two attempts. A longer `Retry-After` is kept to all the same.
    """

    attempt_seconds: float = 15.0
    total_seconds: float = 60.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 10.0

    def pause(self, attempt: int, retry_after: float | None) -> float:
        """Return how long to wait after so many attempts: at chance, so that not all come together."""
        most = min(self.longest_pause_seconds, self.first_pause_seconds * 2.0 ** min(attempt - 1, 30))
        chance = random.uniform(0.5, 1.0)  # noqa: S311 - nobody gains by guessing it
        return max(most * chance, (retry_after or 0.0) * random.uniform(1.0, 1.1))  # noqa: S311 - the same


def read_problem(status: int, headers: Mapping[str, str], body: bytes) -> Problem:
    """Return what an answer that is no success says, as an exception of the class that its code names."""
    document: dict[str, Any] = {}
    if headers.get("content-type", "").startswith("application/problem+json"):
        try:
            document = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            document = {}
    code = str(document.pop("code", "") or "unexpected_answer")
    is_told = code != "unexpected_answer"
    # Whoever stands in between may know of problem documents too, and of codes and members of their own.
    said = document.pop("retryable", None)
    is_retryable = said if isinstance(said, bool) and is_told else status in RETRIED_STATUSES
    errors = document.get("errors")
    detail = document.pop("detail", "") if is_told else body[:200].decode(errors="replace")
    is_unknown = (status in UNKNOWN_STATUSES or code == "idempotency_in_progress") and headers.get(
        "eventflow-stored"
    ) != "no"
    kind = problems.BY_CODE.get(code, Problem)
    rest = {
        name: value
        for name, value in document.items()
        if name not in ("type", "title", "status", "request_id", "errors")
    }
    return kind(
        code=code,
        status=status,
        title=str(document.get("title", "")),
        detail=str(detail),
        request_id=str(document.get("request_id") or headers.get("x-request-id", "")),
        is_retryable=is_retryable,
        retry_after=_seconds(headers.get("retry-after")),
        errors=[_field_error(each) for each in errors if isinstance(each, dict)] if isinstance(errors, list) else (),
        members=rest,
        may_be_stored=is_unknown,
    )


def _field_error(given: Any) -> FieldError:
    return FieldError(
        str(given.get("pointer", "")),
        str(given.get("code", "")),
        str(given.get("detail", "")),
        given.get("schema_version"),
    )


def _seconds(text: str | None) -> float | None:
    return float(text) if text and re.fullmatch(r"\d{1,9}(\.\d+)?", text) else None
