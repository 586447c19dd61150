"""A request and its answer, as the web server hands them over: the seam between `rsgi` and the rest."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Headers = list[tuple[str, str]]


class Exchange(Protocol):
    """One request: what its head says, and what can be learnt of it later.

    Attributes:
        path: decoded; bytes that are no UTF-8 are replaced.
        client, server: `address:port`.
    """

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def query_string(self) -> str: ...
    @property
    def http_version(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def client(self) -> str: ...
    @property
    def server(self) -> str: ...

    def header_items(self) -> Iterable[tuple[str, str]]:
        """Each header line, names in lower case; those whose values cannot be read are left out."""
        ...

    def header_names(self) -> Iterable[str]:
        """The name of each header, in lower case, of those left out too."""
        ...

    def body(self) -> AsyncIterator[bytes]:
        """The body in the pieces in which it comes."""
        ...

    def hung_up(self) -> Awaitable[None]:
        """What is done when the client has closed the connection: a coroutine, or what is like asyncio's futures."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send: `content` as a whole, or a file, or piece by piece.

    Attributes:
        close: called when the last piece was sent, or none can be sent any more, even the first.
    """

    status: int
    headers: Headers
    content: bytes | Path | AsyncGenerator[bytes, None]
    close: Callable[[], None] = lambda: None
