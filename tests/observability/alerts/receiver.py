"""A receiver of webhooks on this machine, which checks signatures with what Standard Webhooks say and nothing of ours."""

import base64
import hashlib
import hmac
import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any


@dataclass
class Receiver:
    """What came, and what is answered: a status, or a function that does what it likes with the connection."""

    port: int = 0
    answer: int | Callable[[BaseHTTPRequestHandler], None] = 204
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?token=t0ken"

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, _, body in self.requests]


def is_signed(headers: dict[str, str], body: bytes, secret: str) -> bool:
    """The recipe of the specification, word for word."""
    key = base64.b64decode(secret.split("_", 1)[1])
    content = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    given = [part.split(",", 1)[1] for part in headers["webhook-signature"].split(" ") if part.startswith("v1,")]
    return any(hmac.compare_digest(expected, each) for each in given)


@contextmanager
def receiving(host: str = "127.0.0.1", wrap: Callable[[Any], Any] | None = None) -> Iterator[Receiver]:
    """A receiver that listens within the block."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.requests.append((self.path, headers, body))
            if callable(receiver.answer):
                receiver.answer(self)
            else:
                self.send_response(receiver.answer)
                self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Tests are quiet."""

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = daemon_threads = True

        def handle_error(self, *_args: Any) -> None:
            """Whoever is cut off, is."""

    with Server((host, 0), Handler) as server:
        if wrap is not None:
            server.socket = wrap(server.socket)
        receiver.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
