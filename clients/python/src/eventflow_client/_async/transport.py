"""Sends requests, and tries them again as the server's outcome contract allows."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

import httpx

from ..async_kit import Shared, sleep
from ..errors import Closed, EventFlowError, NoAnswer, Problem
from ..outcomes import Retries, read_problem
from ..requests import Answer, Request
from ..tracing import current_traceparent

# Nothing of the request has left by then.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# They would fail the same way again.
_UNUSABLE: Final = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)
_JSON: Final = "application/json"
_ONCE: Final = Retries(total_seconds=0.0)


class AsyncTransport:
    """One pool of connections to one installation, as one caller.

    Args:
        url: where the installation is; `/api/v1` is added if it is not there.
        headers: of every request, the credential among them.
        connections: how many at most.
        transport: another way to send, for tests or a proxy of one's own; httpx's.
    """

    def __init__(
        self,
        url: str,
        headers: dict[str, str],
        *,
        retries: Retries,
        connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        base = url.rstrip("/")
        self._base = base if base.endswith("/api/v1") else f"{base}/api/v1"
        self.retries = retries
        self._client = httpx.AsyncClient(
            headers={"Accept-Encoding": "identity", **headers},
            limits=httpx.Limits(
                max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=30
            ),
            transport=transport,
            follow_redirects=False,
        )
        self._shared = Shared(self._client.aclose)

    async def send(
        self, request: Request, *, retries: Retries | None = None, is_over: Callable[[], bool] | None = None
    ) -> Answer:
        """Return the answer to a request, tried as often as `retries` say, with the same bytes each time.

        Args:
            is_over: no further attempt once this holds.

        Raises:
            Problem: refused, or still failing when the time was up.
            NoAnswer: still none when the time was up.
            Closed
        """
        retries = retries or self.retries
        started = time.monotonic()
        may_be_stored = False
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(request, retries.attempt_seconds)
            except (Problem, NoAnswer) as error:
                # A GET stores nothing; and what one attempt may have done, a later refusal does not undo.
                may_be_stored = request.method != "GET" and (may_be_stored or error.may_be_stored)
                error.may_be_stored = may_be_stored
                if isinstance(error, Problem) and not error.is_retryable:
                    if request.method == "DELETE" and error.status == 404 and may_be_stored:
                        # An attempt whose answer was lost had done it.
                        return Answer(204, {}, b"")
                    raise
                pause = retries.pause(attempt, error.retry_after if isinstance(error, Problem) else None)
                if time.monotonic() + pause - started > retries.total_seconds or (is_over and is_over()):
                    raise
            await sleep(pause)

    async def send_once(self, request: Request) -> Answer:
        """Return the answer to the only attempt.

        Raises:
            Problem, NoAnswer, Closed
        """
        return await self.send(request, retries=replace(_ONCE, attempt_seconds=self.retries.attempt_seconds))

    @asynccontextmanager
    async def open(self, request: Request, *, silence_seconds: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """Give the pieces of a live stream as they come, from one attempt; leaving the block hangs up.

        Raises:
            Problem: refused.
            NoAnswer: none came, it broke, or nothing was said for so long.
            Closed
        """
        try:
            with self._shared.used():
                async with self._client.stream(
                    request.method,
                    self._base + request.path,
                    params=request.parameters or None,
                    headers=dict(request.headers),
                    timeout=httpx.Timeout(silence_seconds, connect=5.0),
                ) as response:
                    if response.status_code != 200:
                        _answer(response, await response.aread())
                    if not response.headers.get("content-type", "").startswith("text/event-stream"):
                        raise NoAnswer(f"{request.method} {request.path}: what answers is no live stream.")
                    with self._shared.hung_up_at_end(response):
                        yield response.aiter_raw()
        except _UNUSABLE as error:
            raise EventFlowError(f"This cannot be sent: {error}") from error
        except httpx.HTTPError as error:
            if self._shared.is_ended:
                raise Closed("The client was closed meanwhile.") from error
            what = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise NoAnswer(f"{request.method} {request.path}: cut off ({what}).") from error

    async def aclose(self) -> None:
        """Begin no request any more. Of threads, those that are under way are finished first; of tasks, they end."""
        await self._shared.end()

    async def _attempt(self, request: Request, seconds: float) -> Answer:
        seconds += request.wait_seconds
        headers = dict(request.headers)
        if request.body is not None:
            headers["Content-Type"] = _JSON
        if traceparent := current_traceparent():
            headers["traceparent"] = traceparent
        deadline = time.monotonic() + seconds
        try:
            with self._shared.used():
                async with self._client.stream(
                    request.method,
                    self._base + request.path,
                    params=request.parameters or None,
                    content=request.body,
                    headers=headers,
                    timeout=httpx.Timeout(seconds, connect=min(seconds, 5.0)),
                ) as response:
                    parts: list[bytes] = []
                    async for part in response.aiter_raw():
                        parts.append(part)
                        # The time-out above is for one piece: an answer that dribbles would never come to it.
                        if time.monotonic() > deadline:
                            raise NoAnswer(f"The answer was not whole after {seconds:g} s.", may_be_stored=True)
        except _UNUSABLE as error:
            raise EventFlowError(f"This cannot be sent: {error}") from error
        except httpx.HTTPError as error:
            what = f"{type(error).__name__}: {error}".removesuffix(": ")
            raise NoAnswer(
                f"{request.method} {request.path}: no answer ({what}).", may_be_stored=not isinstance(error, _NOT_SENT)
            ) from error
        except RuntimeError as error:
            if self._shared.is_ended:
                raise Closed("The client was closed meanwhile.") from error
            raise
        answer = _answer(response, b"".join(parts))
        if answer.body and not answer.headers.get("content-type", _JSON).startswith("application/"):
            # A page that somebody in between shows instead: to log in, or that the site is being worked on.
            raise NoAnswer(f"{request.method} {request.path}: what answers is not EventFlow.", may_be_stored=True)
        return answer


def _answer(response: Any, body: bytes) -> Answer:
    # httpx gives names of headers in any case, and its own mapping costs ten times as much to look into.
    headers = {name.decode("ascii").lower(): value.decode("latin-1") for name, value in response.headers.raw}
    if response.status_code < 200 or response.status_code >= 300:
        raise read_problem(response.status_code, headers, body)
    return Answer(response.status_code, headers, body)
