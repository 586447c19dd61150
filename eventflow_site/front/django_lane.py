"""Everything but the hot verbs: Django's own WSGI handler, in a bounded number of threads."""

from collections.abc import AsyncGenerator, Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

from accounts.database_threads import NoDatabaseThread, give_connection_back
from accounts.lent_threads import LentThreads
from eventflow_site.front import limits
from eventflow_site.front.exchange import Answer, Headers


class DjangoLane:
    """Calls Django in threads of one event loop; made on that loop."""

    def __init__(self, handler: WSGIHandler, *, threads: int) -> None:
        self._handler: Callable[..., Any] = handler
        self._threads = LentThreads(
            "django",
            size=threads,
            patience_seconds=limits.DJANGO_PATIENCE_SECONDS,
            refusal=lambda: NoDatabaseThread("no thread came free to answer with"),
        )

    async def answer(self, environ: dict[str, Any]) -> Answer:
        """Answer a request whose body is all there.

        Raises:
            NoDatabaseThread: no thread came free in time; nothing was done.
        """
        return await self._threads.run(lambda: self._call(environ))

    def _call(self, environ: dict[str, Any]) -> Answer:
        told: list[tuple[str, Headers]] = []
        response = self._handler(environ, lambda status, headers, *_: told.append((status, headers)))
        status, headers = int(told[0][0].partition(" ")[0]), told[0][1]
        # A static file comes as a bare wrapper around the open file.
        if not getattr(response, "streaming", True):
            content: bytes = response.content
            response.close()
            return Answer(status, headers, content)
        file = getattr(response, "filelike", None) or getattr(response, "file_to_stream", None)
        if type(file) is BufferedReader and file.tell() == 0:
            path = Path(file.name)
            response.close()
            return Answer(status, headers, path)
        give_connection_back()
        return Answer(status, headers, self._pieces(response), getattr(response, "give_place_back", lambda: None))

    async def _pieces(self, response: Any) -> AsyncGenerator[bytes, None]:
        pieces = iter(response)
        try:
            while (piece := await self._threads.run(lambda: next(pieces, None))) is not None:
                yield piece
        finally:
            close = getattr(response, "close", None)
            if close is not None:
                await self._threads.run(close)
