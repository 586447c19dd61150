# Made from ../_async by generate.py: change that, not this.
"""A stream's events as they come, over connections that may break: the next one goes on where the last one ended."""

import json
import random
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from ..sync_kit import Following, sleep
from ..errors import NoAnswer, Problem
from ..event_stream import EventStream, Message
from ..models import Gap
from ..outcomes import read_problem
from ..paths import of_stream
from ..requests import Request, get
from .transport import Transport

# The server says something every 15 seconds.
_SILENCE_SECONDS: Final = 45.0


def _nothing(_what: str) -> None:
    """Nobody wants to know."""


class LiveStream:
    """Iterate over it: an event as its JSON, or what retention took before it could be read.

    Args:
        place: the last offset that was seen, as polls take it.
        on_cut: told why a connection ended, before another one is tried.

    Attributes:
        place: where another one would go on.

    Raises:
        Problem: refused, at the beginning or later: the right to it has ended.
        NoAnswer: there was none at the beginning. Later it is tried again for ever.
    """

    def __init__(
        self,
        transport: Transport,
        stream: str,
        *,
        place: str,
        partition: int | None = None,
        types: Sequence[str] = (),
        on_cut: Callable[[str], Any] = _nothing,
    ) -> None:
        self._transport = transport
        self._request = get(
            f"{of_stream(stream)}/events/live",
            last_offset=place,
            partition=partition,
            type=",".join(types) or None,
        )
        self.place = place
        self._on_cut = on_cut
        self._has_begun = False
        self._pause_seconds = 1.0
        self._failed_since: float | None = None

    def __iter__(self) -> Following[bytes | Gap]:
        while True:
            has_opened = has_run_out = False
            try:
                with self._transport.open(self._next_request(), silence_seconds=_SILENCE_SECONDS) as pieces:
                    stream = EventStream()
                    for piece in pieces:
                        for message in stream.feed(piece):
                            self._note(message)
                            has_opened = True
                            if message.data is not None:
                                yield _read(message.kind, message.data)
                what = "the server ended the connection"
            except (NoAnswer, Problem) as error:
                if isinstance(error, Problem):
                    # A person's token runs out while this goes on: the next request tells whether there is another.
                    has_run_out = has_opened and error.status == 401
                    if not error.is_retryable and not has_run_out:
                        raise
                    self._pause_seconds = max(self._pause_seconds, error.retry_after or 0.0)
                if not self._has_begun and self._has_taken_too_long():
                    raise
                what = str(error)
            if self._failed_since is None and not has_run_out:
                self._failed_since = time.monotonic()
                self._on_cut(what)
            sleep(self._pause_seconds * random.uniform(1.0, 1.2))  # noqa: S311 - nobody gains by it

    def _next_request(self) -> Request:
        headers = {"Accept": "text/event-stream"}
        if self._has_begun:
            headers["Last-Event-ID"] = self.place
        return Request("GET", self._request.path, self._request.parameters, headers=headers)

    def _has_taken_too_long(self) -> bool:
        now = time.monotonic()
        return now - (self._failed_since or now) > self._transport.retries.total_seconds

    def _note(self, message: Message) -> None:
        self._failed_since = None
        if message.place is not None:
            self.place, self._has_begun = message.place, True
        if message.retry_seconds is not None:
            self._pause_seconds = message.retry_seconds


def _read(kind: str, data: bytes) -> bytes | Gap:
    if kind == "gap":
        return msgspec.json.decode(data, type=Gap)
    if kind == "end":
        status = int(json.loads(data).get("status", 500))
        raise read_problem(status, {"content-type": "application/problem+json"}, data)
    return data
