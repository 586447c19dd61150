"""A network between client and server that loses requests and answers when it is told to."""

import re
import socket
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx

# What may become of a request: its answer is lost and the connection cut; the answer is cut off in the middle; it never
# reaches the server; or somebody in between answers.
LOSE_ANSWER = "lose answer"
CUT_ANSWER = "cut answer"
LOSE_REQUEST = "lose request"
BAD_GATEWAY = "bad gateway"
OTHER_PROBLEM = "a problem of somebody else's"
OTHER_PAGE = "a page of somebody else's"


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Fate:
    pattern: re.Pattern[str]
    kinds: deque[str] = field(default_factory=deque)


class LossyNetwork:
    """An HTTP proxy in front of one port.

    Attributes:
        requests: everything that a client has sent, attempts one by one.
        withheld: headers of requests that are not passed on, in lower case.
    """

    def __init__(self, port: int) -> None:
        self.target = f"http://127.0.0.1:{port}"
        self.requests: list[Seen] = []
        self.withheld = {"host", "connection"}
        self._fates: list[Fate] = []
        self._lock = threading.Lock()
        self._client = httpx.Client(limits=httpx.Limits(max_connections=None), timeout=60)
        network = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                network.pass_on(self)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def happen(self, *kinds: str, to: str = "/events") -> None:
        """Let these happen to the next requests whose method and path the pattern is found in, one after the other."""
        with self._lock:
            self._fates.append(Fate(re.compile(to), deque(kinds)))

    @property
    def is_quiet(self) -> bool:
        """All that was to happen has happened."""
        with self._lock:
            return not any(fate.kinds for fate in self._fates)

    def seen(self, pattern: str) -> list[Seen]:
        return [each for each in self.requests if re.search(pattern, f"{each.method} {each.path}")]

    def counts(self) -> Counter[str]:
        return Counter(f"{each.method} {each.path.partition('?')[0]}" for each in self.requests)

    def pass_on(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        fate = self._note(Seen(handler.command, handler.path, headers, body))
        if fate == LOSE_REQUEST:
            return self._cut(handler)
        if fate == BAD_GATEWAY:
            return self._answer(handler, 502, [("Content-Type", "text/html")], b"<html>nobody there</html>")
        if fate == OTHER_PROBLEM:
            body = b'{"code": "upstream_down", "status": 503, "errors": {"upstream": ["is down"]}}'
            return self._answer(handler, 503, [("Content-Type", "application/problem+json")], body)
        if fate == OTHER_PAGE:
            return self._answer(handler, 200, [("Content-Type", "text/html; charset=utf-8")], b"<html>Log in</html>")
        kept = {name: value for name, value in headers.items() if name not in self.withheld}
        try:
            answer = self._client.request(handler.command, self.target + handler.path, headers=kept, content=body)
        except httpx.HTTPError:
            return self._cut(handler)
        if fate == LOSE_ANSWER:
            return self._cut(handler)
        told = [
            (name, value)
            for name, value in answer.headers.items()
            if name not in ("transfer-encoding", "connection", "content-length")
        ]
        return self._answer(handler, answer.status_code, told, answer.content, is_cut=fate == CUT_ANSWER)

    def _note(self, seen: Seen) -> str | None:
        with self._lock:
            self.requests.append(seen)
            for fate in self._fates:
                if fate.kinds and fate.pattern.search(f"{seen.method} {seen.path}"):
                    return fate.kinds.popleft()
        return None

    @staticmethod
    def _answer(
        handler: BaseHTTPRequestHandler,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        is_cut: bool = False,
    ) -> None:
        handler.send_response_only(status)
        for name, value in headers:
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2] if is_cut else body)
        if is_cut:
            LossyNetwork._cut(handler)

    @staticmethod
    def _cut(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.wfile.flush()
        with suppress(OSError):
            handler.connection.shutdown(socket.SHUT_RDWR)
