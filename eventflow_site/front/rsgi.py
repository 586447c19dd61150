"""The RSGI entry point of granian's workers: the one file that speaks with the web server.

It is loaded before they are forked (`granian.py`), so what a worker needs is made in `__rsgi_init__`.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import django

django.setup()

# Only once Django is set up: its views need the models.
from accounts.services.key_uses import keep_writing_key_uses  # noqa: E402
from eventflow_site.embedded.process import die_with_parent  # noqa: E402
from eventflow_site.front.door import Door  # noqa: E402
from eventflow_site.front.exchange import Answer  # noqa: E402
from eventflow_site.front.garbage import collect_less_garbage  # noqa: E402
from eventflow_site.front.stopping import call_at_stop  # noqa: E402
from eventflow_site.handler import Handler  # noqa: E402
from observability.numbers.rejections import keep_writing_rejections  # noqa: E402
from streams.services.schema_uses import keep_writing_schema_uses  # noqa: E402
from streams.stopping import stop_waiting  # noqa: E402


class RsgiExchange:
    """A request of granian's.

    What its head says is asked of granian each time: what is kept here is kept for as long as a request waits, and
    each look at the headers is a copy of them.
    """

    __slots__ = ("_protocol", "_scope")

    def __init__(self, scope: Any, protocol: Any) -> None:
        self._scope = scope
        self._protocol = protocol

    @property
    def method(self) -> str:
        return str(self._scope.method)

    @property
    def path(self) -> str:
        return str(self._scope.path)

    @property
    def query_string(self) -> str:
        return str(self._scope.query_string)

    @property
    def http_version(self) -> str:
        return str(self._scope.http_version)

    @property
    def scheme(self) -> str:
        return str(self._scope.scheme)

    @property
    def client(self) -> str:
        return str(self._scope.client)

    @property
    def server(self) -> str:
        return str(self._scope.server)

    def header_items(self) -> Iterable[tuple[str, str]]:
        items: Iterable[tuple[str, str]] = self._scope.headers.items()
        return items

    def header_names(self) -> Iterable[str]:
        names: Iterable[str] = self._scope.headers.keys()
        return names

    def body(self) -> AsyncIterator[bytes]:
        pieces: AsyncIterator[bytes] = self._protocol.__aiter__()
        return pieces

    def hung_up(self) -> Awaitable[None]:
        # A future as it is: to await it would take a task, for each request that waits.
        disconnected: Awaitable[None] = self._protocol.client_disconnect()
        return disconnected


class Application:
    """What granian calls, on the one event loop of a worker."""

    _door: Door

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # It would outlive a main process that is killed, and keep the port.
        die_with_parent()
        call_at_stop(loop, stop_waiting)
        # The door has threads for the loop, so it is made on it; the server accepts nobody before.
        loop.run_until_complete(self._open())

    async def _open(self) -> None:
        self._door = Door(handler=Handler())
        keep_writing_key_uses()
        keep_writing_rejections()
        keep_writing_schema_uses()
        # The last thing: all that the worker needs is loaded.
        collect_less_garbage()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        await _send(await self._door.answer(RsgiExchange(scope, protocol)), protocol)


async def _send(answer: Answer, protocol: Any) -> None:
    if isinstance(answer.content, bytes):
        protocol.response_bytes(answer.status, answer.headers, answer.content)
    elif isinstance(answer.content, Path):
        protocol.response_file(answer.status, answer.headers, str(answer.content))
    else:
        try:
            transport = protocol.response_stream(answer.status, answer.headers)
            # Closed here, whatever becomes of it: a collector would do it some time.
            async with aclosing(answer.content) as pieces:
                async for piece in pieces:
                    await transport.send_bytes(piece)
        finally:
            answer.close()


application = Application()
