"""A request as a value, and what may be done about its answer: nothing here talks to anybody."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .encoding import encode


@dataclass(frozen=True, slots=True)
class Request:
    """One request, the same for every attempt.

    Attributes:
        path: below `/api/v1`, escaped.
        wait_seconds: how long the server may take its time on purpose, beside the time-out of an attempt.
    """

    method: str
    path: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is a success, with its whole body. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def get(path: str, **parameters: Any) -> Request:
    """Return a GET; parameters that are None are left out."""
    return Request("GET", path, given(parameters))


def post(path: str, body: Any = None, *, idempotency_key: str | None = None, **parameters: Any) -> Request:
    """Return a POST with an `Idempotency-Key`, so that it is done once however often it is tried.

    Raises:
        NotJson
    """
    headers = {"Idempotency-Key": idempotency_key or new_key()}
    return Request("POST", path, given(parameters), encode({} if body is None else body), headers)


def post_without_key(path: str, body: Any) -> Request:
    """Return a POST that does no more when it is done again, and so is spared what a key costs.

    Raises:
        NotJson
    """
    return Request("POST", path, body=encode(body))


def new_key() -> str:
    return str(uuid.uuid4())


def given(parameters: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return parameters as they are sent; those that are None are left out."""
    return {name: _text(value) for name, value in parameters.items() if value is not None}


def _text(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # The server takes thousandths, and no exponents.
        return f"{value:.3f}"
    if isinstance(value, str | int):
        return value
    return str(value.isoformat())
