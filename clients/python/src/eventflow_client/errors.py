"""What can go wrong, each under one base class; refusals by the server's own codes are in `problems`."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class EventFlowError(Exception):
    """Everything that this package raises by itself.

    Attributes:
        may_be_stored: what was asked for may have happened all the same: an attempt got no answer, or one that says so.
            False: certainly nothing was stored.
    """

    may_be_stored = False


class FieldError(NamedTuple):
    """One part of a request that is at fault.

    Attributes:
        pointer: a JSON pointer into the body (`/3/key`), or a query parameter (`?limit`).
        code: stable snake_case name.
        detail: for people.
        schema_version: which version of its type's schema a payload was held to, if that is what it does not fit.
    """

    pointer: str
    code: str
    detail: str
    schema_version: int | None = None


class Problem(EventFlowError):
    """The server refused: an `application/problem+json` answer. Each code has a class of its own in `problems`.

    Attributes:
        code: stable snake_case name of the refusal.
        status: the HTTP status.
        detail: what is wrong, where, and how to mend it.
        errors: the parts of the request that are at fault.
        request_id: finds the request in the server's logs.
        retry_after: seconds to wait before another try, if the server said so.
        members: what else the answer says, such as `bucket`, `quota` or `head`.
    """

    code = ""

    def __init__(
        self,
        *,
        code: str,
        status: int,
        title: str = "",
        detail: str = "",
        request_id: str = "",
        is_retryable: bool = False,
        retry_after: float | None = None,
        errors: Sequence[FieldError] = (),
        members: Mapping[str, Any] | None = None,
        may_be_stored: bool = False,
    ) -> None:
        self.code = code
        self.status = status
        self.title = title
        self.detail = detail
        self.request_id = request_id
        self.is_retryable = is_retryable
        self.retry_after = retry_after
        self.errors = tuple(errors)
        self.members = dict(members or {})
        self.may_be_stored = may_be_stored
        super().__init__(str(self))

    def __str__(self) -> str:
        where = "".join(f"\n  {each.pointer}: {each.detail}" for each in self.errors)
        return f"{self.code} ({self.status}): {self.detail}{where} [request {self.request_id or 'unknown'}]"


class NoAnswer(EventFlowError):
    """No usable answer came: the connection failed or broke, or time ran out."""

    def __init__(self, text: str, *, may_be_stored: bool = False) -> None:
        super().__init__(text)
        self.may_be_stored = may_be_stored


class NotInTime(EventFlowError):
    """A wait came to its bound: for room among unsent events, for an outcome, or for the end of what is under way."""


class Closed(EventFlowError):
    """The producer or the client was closed before."""


class NotJson(EventFlowError, ValueError):
    """An event has something that JSON cannot say: a type that it does not know, NaN, or half of a character."""
