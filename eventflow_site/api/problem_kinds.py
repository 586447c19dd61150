"""Every `code` that a problem can have: what it means and what to do about it.

Those of the domain come from the error classes, paired with their status in `STATUS_OF`: the first paragraph
of a class's docstring says what happened, the second what to do. Those that the site itself answers stand
here. The page at /docs/problems and docs/problems.md are both made from this list.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from accounts.errors import DomainError
from eventflow_site.api.statuses import RETRYABLE_ERRORS, RETRYABLE_STATUSES, STATUS_OF


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One `code` and all that is the same at each of its occurrences."""

    code: str
    status: int
    title: str
    meaning: str
    remedy: str
    is_retryable: bool


def _site(status: int, code: str, title: str, meaning: str, remedy: str) -> ProblemKind:
    return ProblemKind(code, status, title, meaning, remedy, status in RETRYABLE_STATUSES)


SITE_KINDS = (
    _site(
        400,
        "bad_request",
        "Bad request",
        "The request is malformed in a way that no endpoint could make sense of, such as control characters in the "
        "address.",
        "Look at what the client really sends.",
    ),
    _site(
        400,
        "unknown_host",
        "Unknown host",
        "The header `Host` names a site that this server is not, as when a page elsewhere has made its own name point "
        "here.",
        "Use one of the names in `ALLOWED_HOSTS`, or add this one there.",
    ),
    _site(
        403,
        "https_required",
        "HTTPS required",
        "The request came over plain HTTP, and this server takes its API over HTTPS only. Nothing was done.",
        "Send it to the same address with `https://`, and replace the credentials: they came in the clear.",
    ),
    _site(
        404,
        "not_found",
        "Not found",
        "There is nothing at this address, or you may not see it.",
        "Check the address: base `/api/v1`, no trailing slash. `/api/v1/docs` lists what there is.",
    ),
    _site(
        405,
        "method_not_allowed",
        "Method not allowed",
        "The address exists, but not with this method.",
        "`/api/v1/docs` lists the methods of each address.",
    ),
    _site(
        414,
        "uri_too_long",
        "Address too long",
        "The path has more than 2,000 characters or the query more than 8,000.",
        "Send long values in a body.",
    ),
    _site(
        422,
        "invalid_request",
        "Invalid request",
        "The body is a JSON object, but some of its fields cannot be accepted. Nothing was changed.",
        "`errors` names each field by a JSON pointer, with a code and words of its own.",
    ),
    _site(
        500,
        "internal_error",
        "Internal error",
        "Something broke on our side. Whether a change took place is unknown.",
        "Retry with the same `Idempotency-Key`. If it stays, give `request_id` to whoever runs the server: it finds "
        "the cause in the logs.",
    ),
    _site(
        503,
        "database_unavailable",
        "Database unavailable",
        "PostgreSQL cannot be reached or is too busy. With the header `EventFlow-Stored: no` nothing was stored; "
        "without it the outcome is unknown.",
        "Retry after `Retry-After`, with the same `Idempotency-Key`.",
    ),
)


def list_problem_kinds() -> list[ProblemKind]:
    """Return every kind of problem, by status and code."""
    kinds = {kind.code: kind for kind in SITE_KINDS}
    for error, status in STATUS_OF.items():
        # Several errors may be one to the caller: the first that is listed speaks for them.
        kinds.setdefault(error.code, _of_error(error, status))
    return sorted(kinds.values(), key=lambda kind: (kind.status, kind.code))


def _of_error(error: type[DomainError], status: int) -> ProblemKind:
    meaning, remedy = explanation_of(error)
    is_retryable = status in RETRYABLE_STATUSES or issubclass(error, RETRYABLE_ERRORS)
    return ProblemKind(error.code, status, error.title, meaning, remedy, is_retryable)


def explanation_of(error: type[DomainError]) -> tuple[str, str]:
    """Return the first two paragraphs of an error's own docstring: what happened, and what to do."""
    text = inspect.cleandoc(error.__dict__.get("__doc__") or "")
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n") if paragraph.strip()]
    meaning, remedy, *_ = [*paragraphs, "", ""]
    return meaning, remedy


def render_markdown(kinds: Iterable[ProblemKind]) -> str:
    """Return docs/problems.md."""
    lines = [HEADING]
    status = 0
    for kind in kinds:
        if kind.status != status:
            status = kind.status
            lines.append(f"## {status}\n")
        retry = " Sending the same again may succeed." if kind.is_retryable else ""
        lines.append(f"### `{kind.code}`\n\n*{kind.title}.*{retry}\n\n{kind.meaning}\n\n{kind.remedy}\n")
    return "\n".join(lines)


HEADING = """\
# Problems

<!-- Made by `make docs` from the error classes: change those, not this page. -->

Every refusal under `/api/` is `application/problem+json` (RFC 9457):

```json
{"type": "/docs/problems#stream_not_found", "title": "Stream not found", "status": 404,
 "detail": "There is no such stream, or you may not see it.", "code": "stream_not_found",
 "request_id": "01a2058e-b606-7094-8c31-55e4ce2d8688", "retryable": false}
```

`code` never changes its meaning: write clients against it and the status. `detail` is for people. `errors`, where it is
there, names single parts of the request: a JSON pointer into the body (`/3/key`) or a query parameter (`?limit`).
`type` leads to this list on the running server. `request_id` finds the request in its logs.

What a refusal says about storing is in [architecture.md](architecture.md#the-outcome-contract).
"""
