"""The real web server, as `make run` starts it, on the tests' own database."""

import os
import re
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from django.db import connection

from eventflow_site.embedded.process import kill_group
from eventflow_site.supervisor import programs
from eventflow_site.supervisor.configuration import Configuration
from eventflow_site.supervisor.home import Home
from tests import forked_server
from tests.run.instance import children_of, free_port, wait_for


def test_database_url() -> str:
    """DATABASE_URL with the name of the test database in it."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}"))


test_database_url.__test__ = False  # type: ignore[attr-defined]


class WebServer:
    """Start one with `with WebServer() as web`; it is gone afterwards, with its workers."""

    def __init__(self, *, workers: int = 1, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.workers = workers
        self.environment = environment

    def __enter__(self) -> "WebServer":
        directory = Path(tempfile.mkdtemp(dir=os.environ["EVENTFLOW_HOME"], prefix="web-"))
        with Path(os.devnull).open() as lock:
            home = Home(path=directory, lock=lock)
            home.directory("logs")
            configuration = Configuration("127.0.0.1", self.port, self.workers, directory, None, None)
            env = {**os.environ, "DATABASE_URL": "", "DATABASE_POOL_SIZE": "10", "PYTHONUNBUFFERED": "1"}
            env |= {"EVENTFLOW_SECURE_COOKIES": "false"} | self.environment
            env["DATABASE_URL"] = env["DATABASE_URL"] or test_database_url()
            self.child = programs.web(configuration, home, env)
            # What is said to Python itself has to be there when it starts.
            if not any(name.startswith("PYTHON") for name in self.environment):
                command = cast("partial[Any]", self.child.start_process).args
                self.child.start_process = cast("Any", partial(forked_server.start, *command))
        self.process = self.child.start()
        wait_for("the web server", self.answers)
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.child.ensure_stopped(by=time.monotonic() + 15)
        kill_group(self.process)

    @property
    def log(self) -> str:
        return self.child.log_path.read_text(errors="replace")

    def worker_pids(self) -> list[int]:
        return children_of(self.process.pid)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def connect(self, *, timeout: float = 20) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=timeout)
        client.settimeout(timeout)
        return client


def _joined(chunks: bytes) -> bytes:
    content = b""
    while chunks:
        size, _, chunks = chunks.partition(b"\r\n")
        if not int(size, 16):
            break
        content, chunks = content + chunks[: int(size, 16)], chunks[int(size, 16) + 2 :]
    return content


class RawAnswer:
    """What came back over a socket. `status` is 0 when the server closed without a word."""

    def __init__(self, content: bytes, *, is_closed: bool) -> None:
        content = re.sub(rb"^HTTP/1.1 100 Continue\r\n\r\n", b"", content)
        head, _, self.content = content.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
            self.content = _joined(self.content)
        elif length := re.search(rb"(?i)\r\ncontent-length: *(\d+)", head):
            self.content = self.content[: int(length[1])]
        self.status_code = int(lines[0].split()[1]) if head else 0
        self.is_closed = is_closed
        self.header_names = [line.partition(":")[0].title() for line in lines[1:]]
        self.headers = {line.partition(":")[0].title(): line.partition(":")[2].strip() for line in lines[1:]}

    def json(self):
        import orjson

        assert self.content, f"no content: {self.status_code}"
        return orjson.loads(self.content)


def exchange(
    web: WebServer, *pieces: bytes, half_close: bool = False, pause: float = 0.0, timeout: float = 20
) -> RawAnswer:
    """Send bytes as they are; return the first answer, once it is whole or the connection has ended."""
    with web.connect(timeout=timeout) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
                time.sleep(pause)
            if half_close:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            # It had heard enough; the answer may still be there.
            pass
        return receive(client)


def receive(client: socket.socket) -> RawAnswer:
    received = b""
    while True:
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return RawAnswer(received, is_closed=True)
        if not piece:
            return RawAnswer(received, is_closed=True)
        received += piece
        rest = re.sub(rb"^HTTP/1.1 100 Continue\r\n\r\n", b"", received)
        head, found, body = rest.partition(b"\r\n\r\n")
        if found and _is_whole(head, body):
            return RawAnswer(received, is_closed=False)


def _is_whole(head: bytes, body: bytes) -> bool:
    # These have no body, and nothing says so: whoever waited for one would wait until the server hangs up.
    if re.match(rb"HTTP/1.1 (204|304) ", head):
        return True
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    return len(body) >= int(length[1]) if length else b"\r\n0\r\n\r\n" in body
