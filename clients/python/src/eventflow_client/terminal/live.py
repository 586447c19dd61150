"""A stream's events as they come, over connections that may break: the next one goes on where the last one ended."""

import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import httpx
import msgspec

from ..errors import EventFlowError, NoAnswer, Problem
from ..models import Gap
from ..outcomes import read_problem
from ..paths import of_stream
from .output import remark
from .server import Server

# The server says something every 15 seconds.
_SILENCE_SECONDS: Final = 45.0


@dataclass(slots=True)
class _Message:
    kind: str = "message"
    data: list[str] = field(default_factory=list)


class LiveEvents:
    """Iterate over it: an event as its JSON, or what retention took before it could be read.

    Args:
        place: the last offset that was seen, as polls take it.

    Attributes:
        place: where another one would go on.

    Raises:
        Problem: refused, at the beginning or later.
        NoAnswer: there was none at the beginning. Later it is tried again for ever.
    """

    def __init__(
        self, server: Server, stream: str, *, place: str, partition: int | None = None, types: str | None = None
    ) -> None:
        self._server = server
        self._stream = stream
        self.place = place
        self._parameters = {"last_offset": place}
        if partition is not None:
            self._parameters["partition"] = str(partition)
        if types:
            self._parameters["type"] = types
        self._last_id: str | None = None
        self._pause_seconds = 1.0
        self._failed_since: float | None = None

    def __iter__(self) -> Iterator[bytes | Gap]:
        with self._server.http() as client:
            while True:
                try:
                    yield from self._follow(client)
                    what = "the server ended the connection"
                except (httpx.HTTPError, NoAnswer) as error:
                    what = str(error) or type(error).__name__
                    self._give_up_at_the_beginning(what, error)
                except Problem as error:
                    if not error.is_retryable:
                        raise
                    what = str(error)
                    self._give_up_at_the_beginning(what, error)
                    self._pause_seconds = max(self._pause_seconds, error.retry_after or 0.0)
                if self._failed_since is None:
                    self._failed_since = time.monotonic()
                    remark(f"Cut off ({what}); trying again.")
                time.sleep(self._pause_seconds * random.uniform(1.0, 1.2))  # noqa: S311 - nobody gains by it

    def _give_up_at_the_beginning(self, what: str, error: Exception) -> None:
        if self._last_id is not None:
            return
        now = time.monotonic()
        self._failed_since = self._failed_since or now
        if now - self._failed_since > self._server.retries.total_seconds:
            if isinstance(error, EventFlowError):
                raise error
            raise NoAnswer(f"{self._server.url}: no answer ({what}).") from error

    def _follow(self, client: httpx.Client) -> Iterator[bytes | Gap]:
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        timeout = httpx.Timeout(_SILENCE_SECONDS, connect=5.0)
        url = f"{self._server.url}/api/v1{of_stream(self._stream)}/events/live"
        with client.stream("GET", url, params=self._parameters, headers=headers, timeout=timeout) as response:
            if response.status_code != 200:
                told = {name.lower(): value for name, value in response.headers.items()}
                raise read_problem(response.status_code, told, response.read())
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                raise NoAnswer("what answers is no live stream; `eventflow doctor` looks what is in between")
            yield from self._messages(response)

    def _messages(self, response: httpx.Response) -> Iterator[bytes | Gap]:
        message = _Message()
        for line in _lines(response):
            if line:
                self._take(line, message)
                continue
            if self._failed_since is not None:
                self._failed_since = None
            if message.data:
                yield self._read(message)
            message = _Message()

    def _take(self, line: str, message: _Message) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            message.data.append(value)
        elif name == "event":
            message.kind = value
        elif name == "id":
            self._last_id = self.place = value
        elif name == "retry":
            self._pause_seconds = int(value) / 1000

    @staticmethod
    def _read(message: _Message) -> bytes | Gap:
        content = "\n".join(message.data).encode()
        if message.kind == "gap":
            return msgspec.json.decode(content, type=Gap)
        if message.kind == "end":
            status = int(json.loads(content).get("status", 500))
            raise read_problem(status, {"content-type": "application/problem+json"}, content)
        return content


def _lines(response: httpx.Response) -> Iterator[str]:
    """Yield lines as they are sent. httpx's own way would end one at U+2028 too, which JSON may have."""
    rest = b""
    for piece in response.iter_raw():
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode()
