"""Django's request for what came in, made without what only pages need."""

import asyncio
import sys
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import Any, Final

from django.http import HttpRequest, QueryDict, parse_cookie
from django.urls import ResolverMatch
from django.utils.functional import cached_property

from accounts.caller import Caller
from accounts.errors import AmbiguousCredentials
from accounts.http.client_address import client_address
from accounts.http.header_lines import REPEATED_HEADERS
from eventflow_site.front.bodies import Bodies, Sender
from eventflow_site.front.exchange import Exchange

CREDENTIALS = frozenset({"HTTP_X_API_KEY", "HTTP_AUTHORIZATION"})
# Of a header whose value is no ASCII, which the web server gives to nobody. Were it left out, what it asks for would
# be passed over in silence: a key that makes a retry harmless, a condition, an address. No reader of a header takes it.
UNREADABLE: Final = "\xbf"
REMEMBERED_CHARACTERS: Final = 256
_WITHOUT_PREFIX = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}


class FrontRequest(HttpRequest):
    """A request on the event loop.

    Attributes:
        refusal: what is wrong with it already; then no view sees it.
        has_hung_up: the client has closed the connection, as far as anybody has watched.
    """

    # Django keeps it in `__dict__`, which for that gets a table of its own, larger than all else of a request.
    __slots__ = ("_query",)

    resolver_match: ResolverMatch | None

    def __init__(self, exchange: Exchange, bodies: Bodies) -> None:
        # Not Django's own: it makes seven objects that nobody looks at here.
        self.exchange = exchange
        self.environ = self.META = meta = environ_of(exchange)
        self.path = self.path_info = exchange.path
        self.method = meta["REQUEST_METHOD"].upper()
        self.resolver_match = None
        self.content_type = meta.get("CONTENT_TYPE")
        self.content_params = None
        self.refusal: Exception | None = meta.pop("eventflow.refusal", None)
        self.has_hung_up = False
        self._query: QueryDict | None = None
        self._bodies = bodies

    @property
    def GET(self) -> QueryDict:  # type: ignore[override]  # noqa: N802 - Django's name
        if self._query is None:
            self._query = QueryDict(self.META["QUERY_STRING"], encoding=self.encoding)
        return self._query

    def forget_query(self) -> None:
        """Let go of the parsed query; whoever wants it again parses it again."""
        self._query = None

    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802 - Django's name
        return parse_cookie(self.META.get("HTTP_COOKIE", ""))

    def _get_scheme(self) -> str | None:
        return self.META.get("wsgi.url_scheme")

    @property
    def declared_length(self) -> int | None:
        """What Content-Length says, if it is a number."""
        text: str = self.META.get("CONTENT_LENGTH", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None

    async def collect_body(self, *, limit: int, sender: Sender | None = None) -> bytes:
        """Return the body as far as it comes, at most a little more than `limit`.

        Raises:
            BodyTooSlow, TooManySlowBodies
        """
        return await self._bodies.collect(
            self.exchange.body(), declared=self.declared_length, limit=limit, sender=sender or self._sender()
        )

    def on_hang_up(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the client hangs up; return how to call that off."""

        def note(_: object) -> None:
            self.has_hung_up = True
            callback()

        watching = asyncio.ensure_future(self.exchange.hung_up())
        watching.add_done_callback(note)

        def call_off() -> None:
            watching.remove_done_callback(note)
            watching.cancel()

        return call_off

    def _sender(self) -> Sender:
        caller = self.__dict__.get("user")
        if type(caller) is Caller:
            return Sender(caller.reference, is_proven=True)
        return Sender(client_address(self), is_proven=False)


def environ_of(exchange: Exchange) -> dict[str, Any]:
    """Return what WSGI calls the environment, without a body.

    A header whose name has an underscore is dropped: it would look like one that a proxy has set. One whose value
    cannot be read is there, as `UNREADABLE`.
    """
    name, port = _name_and_port(exchange.server)
    path = exchange.path
    meta: dict[str, Any] = {
        "REQUEST_METHOD": exchange.method,
        "SCRIPT_NAME": "",
        # As WSGI has it: bytes, written as the characters of their numbers.
        "PATH_INFO": path if path.isascii() else path.encode().decode("latin-1"),
        "QUERY_STRING": exchange.query_string,
        "SERVER_NAME": name,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": _protocol(exchange.http_version),
        "REMOTE_ADDR": exchange.client.rpartition(":")[0].strip("[]"),
        "wsgi.url_scheme": sys.intern(exchange.scheme),
    }
    lines = list(exchange.header_items())
    for name, value in lines:
        key = _key_of(name)
        if key is None:
            continue
        if key not in meta:
            meta[key] = value
        elif key in CREDENTIALS:
            meta["eventflow.refusal"] = AmbiguousCredentials(f"The header {name} is there more than once.")
        else:
            meta.setdefault(REPEATED_HEADERS, set()).add(key)
            meta[key] += f"{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    for name in set(exchange.header_names()).difference(dict(lines)):
        key = _key_of(name)
        if key is not None:
            meta.setdefault(key, UNREADABLE)
    return meta


def wsgi_environ_of(meta: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the environment with a body that is all there."""
    meta = {
        **meta,
        "CONTENT_LENGTH": str(len(body)) if body else meta.get("CONTENT_LENGTH", ""),
        "wsgi.input": BytesIO(body),
        "wsgi.version": (1, 0),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    # It is no longer in pieces.
    meta.pop("HTTP_TRANSFER_ENCODING", None)
    return meta


# The same for all requests, and kept once.
@lru_cache(64)
def _name_and_port(server: str) -> tuple[str, str]:
    host, _, port = server.rpartition(":")
    return host or server, port


@lru_cache(8)
def _protocol(http_version: str) -> str:
    return f"HTTP/{http_version}"


def _key_of(name: str) -> str | None:
    # Whoever sends long ones, each another, would fill the memory with them.
    return _spell(name) if len(name) > REMEMBERED_CHARACTERS else _remembered_key_of(name)


@lru_cache(1_024)
def _remembered_key_of(name: str) -> str | None:
    return _spell(name)


def _spell(name: str) -> str | None:
    if "_" in name:
        return None
    return _WITHOUT_PREFIX.get(name) or f"HTTP_{name.upper().replace('-', '_')}"
