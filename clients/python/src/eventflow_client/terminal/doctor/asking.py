"""One request and its answer, with when they went. Nothing is tried again: that would hide what is looked for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from ...errors import Problem
from ...outcomes import read_problem

_UNKNOWN_CODE: Final = "unexpected_answer"


@dataclass(frozen=True, slots=True)
class Seen:
    """An answer.

    Attributes:
        asked_at, answered_at: this machine's clock, in seconds since 1970.
        certificate: the server's, of an encrypted connection, as `ssl` tells it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    asked_at: float
    answered_at: float
    certificate: Mapping[str, Any] | None = None

    @property
    def seconds(self) -> float:
        return self.answered_at - self.asked_at

    @property
    def problem(self) -> Problem | None:
        """What the server refused with, None if it did not."""
        if 200 <= self.status < 300:
            return None
        return read_problem(self.status, self.headers, self.body)

    @property
    def is_ours(self) -> bool:
        """Whether EventFlow answered, and not something in front of it."""
        if problem := self.problem:
            return problem.code != _UNKNOWN_CODE
        return self.headers.get("content-type", "").startswith("application/json")


def ask(client: httpx.Client, url: str, *, seconds: float, **parameters: str) -> Seen:
    """Return the answer to a GET, whatever it is, within `seconds` for each of its pieces.

    Raises:
        httpx.HTTPError: none came, or not all of it.
    """
    asked_at, began = time.time(), time.monotonic()
    timeout = httpx.Timeout(seconds, connect=min(seconds, 5.0))
    with client.stream("GET", url, params=parameters or None, timeout=timeout) as response:
        certificate = _certificate_of(response)
        body = response.read()
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Seen(response.status_code, headers, body, asked_at, asked_at + time.monotonic() - began, certificate)


def _certificate_of(response: httpx.Response) -> Mapping[str, Any] | None:
    stream = response.extensions.get("network_stream")
    encrypted = stream.get_extra_info("ssl_object") if stream is not None else None
    return None if encrypted is None else encrypted.getpeercert()
