"""A client: one kept connection, one caller, one request after the other; it leaves in the middle when it is told to."""

import contextlib
import http.client
import socket
import struct
import time
from collections.abc import Callable

from tests.faults.ask import Ask, Reply
from tests.faults.contract import REFUSED, UNKNOWN, UNREACHED
from tests.faults.live.answers import read_answer
from tests.faults.live.wire import HttpRequest, to_http

# Longer than the server takes to say that it does not know.
PATIENCE_SECONDS = 15.0
_RESET = struct.pack("ii", 1, 0)


class Client:
    """Not for more than one thread. `port_of` is asked at each connection: a restarted server may have another."""

    def __init__(self, port_of: Callable[[], int], key: str) -> None:
        self._port_of, self._key = port_of, key
        self._connection: http.client.HTTPConnection | None = None

    def ask(self, ask: Ask, request_id: str) -> Reply:
        """Make one request and return what became of it; no answer is an answer too."""
        request = to_http(ask)
        headers = {"X-API-Key": self._key, "X-Request-Id": request_id, **request.headers}
        if "vanish" in ask.sent:
            return self._leave(request, headers, *ask.sent["vanish"])
        patience = ask.sent.get("patience", PATIENCE_SECONDS) + ask.sent.get("wait", 0)
        try:
            connection = self._connected(patience)
            _send(connection, request, headers, request.body or b"")
            answer = connection.getresponse()
            body = answer.read()
            if answer.will_close or request.length is not None:
                self.close()
            return read_answer(ask, answer.status, answer.headers, body)  # type: ignore[arg-type]  # a mapping of text
        except ConnectionRefusedError:
            self.close()
            return Reply(None, UNREACHED)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return Reply(None, UNKNOWN, {"error": type(error).__name__})

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self, patience: float) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._port_of(), timeout=patience)
        if self._connection.sock is not None:
            self._connection.sock.settimeout(patience)
        self._connection.timeout = patience
        return self._connection

    def _leave(self, request: HttpRequest, headers: dict[str, str], where: str, seconds: float) -> Reply:
        """Hang up in the middle. A request whose body was never sent whole must not be carried out."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port_of(), timeout=PATIENCE_SECONDS)
        try:
            connection.connect()
        except OSError:
            return Reply(None, UNREACHED)
        body = request.body or b""
        is_cut = where == "body"
        with contextlib.suppress(OSError, http.client.HTTPException):
            _send(connection, request, headers, body[: _half(body)] if is_cut else body)
            time.sleep(seconds)
        if connection.sock is not None:
            with contextlib.suppress(OSError):
                connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.close()
        return Reply(None, REFUSED if is_cut else UNKNOWN)


def _half(body: bytes) -> int:
    """Where to cut a body: after a line or an item if it has several, so that what was sent could pass for the whole."""
    middle = len(body) // 2
    for end in (b"}\n", b"},"):
        found = body.find(end, middle)
        if 0 < found < len(body) - 2:
            return found + len(end) - (end == b"},")
    return middle


def _send(connection: http.client.HTTPConnection, request: HttpRequest, headers: dict[str, str], body: bytes) -> None:
    connection.putrequest(request.method, request.path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    if request.body is not None:
        connection.putheader("Content-Length", str(request.length or len(request.body)))
    connection.endheaders(body or None)
