"""NATS JetStream that syncs before it answers: `sync_interval: always`, on a server of its own.

Its one program is not part of this repository: the environment variable NATS_BIN names it.
"""

import itertools
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.events import make_event
from benchmarks.peers.rates import Rate
from benchmarks.peers.sockets import Connection, load
from eventflow_site.embedded.process import start_process

VARIABLE = "NATS_BIN"
STREAM = "ORDERS"
SUBJECT = "orders"
# Stands in requests for the inbox of the connection that sends them.
INBOX = b"inbox.______"
CONNECT = b'CONNECT {"verbose":false,"pedantic":false,"headers":true,"no_responders":true}\r\nSUB ' + INBOX + b" 1\r\n"
READY_SECONDS = 30
ACK_WAIT_NANOSECONDS = 60_000_000_000
CONFIGURATION = """
listen: "127.0.0.1:{port}"
ping_interval: "1h"
jetstream {{ store_dir: "{folder}", sync_interval: always }}
"""


def is_given() -> bool:
    return VARIABLE in os.environ


def publication(subject: str, payload: bytes) -> bytes:
    """The bytes that publish to a subject and ask for the answer in the connection's inbox."""
    return b"PUB %b %b %d\r\n%b\r\n" % (subject.encode(), INBOX, len(payload), payload)


class _Connection(Connection):
    """Its answers are the messages that come to its inbox."""

    _numbers = itertools.count()

    def __init__(self, port: int) -> None:
        super().__init__(socket.AF_INET, ("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while not self.answer.endswith(b"\r\n"):
            self.answer += self.socket.recv(4096)
        self._inbox = b"inbox.%06d" % next(self._numbers)
        self.socket.sendall(CONNECT.replace(INBOX, self._inbox))
        self.expected = 1
        self.ends_with_status = False
        self._at = 0
        self._count = 0

    def ask(self, request: bytes, answers: int = 1, *, ends_with_status: bool = False) -> None:
        """Send; what is asked is answered by so many messages, or by those until one that is a status alone."""
        self.expected, self.ends_with_status, self._at, self._count = answers, ends_with_status, 0, 0
        self.send(request.replace(INBOX, self._inbox))

    def is_answered(self) -> bool:
        while (line_end := self.answer.find(b"\r\n", self._at)) >= 0:
            words = self.answer[self._at : line_end].split(b" ")
            if words[0] not in (b"MSG", b"HMSG"):
                if words[0] == b"-ERR":
                    raise SystemExit(f"NATS: {self.answer[self._at : line_end]!r}")
                self._at = line_end + 2
                continue
            end = line_end + 2 + int(words[-1]) + 2
            if len(self.answer) < end:
                return False
            self._at, self._count = end, self._count + 1
            if self.ends_with_status and words[0] == b"HMSG" and words[-1] == words[-2]:
                return True
        return not self.ends_with_status and self._count >= self.expected

    @property
    def line(self) -> bytes:
        """The first line of the answer: MSG, subject, subscription, where to answer, size."""
        return self.answer.split(b"\r\n", 1)[0]


class NatsJetStream:
    """A server that is started when this is entered, and ended with it."""

    def __enter__(self) -> "NatsJetStream":
        self._folder = tempfile.TemporaryDirectory(prefix="eventflow-bench-")
        folder = Path(self._folder.name)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        configuration = folder / "nats.conf"
        configuration.write_text(CONFIGURATION.format(port=self._port, folder=folder / "store"))
        with (folder / "log").open("wb") as log:
            self._process = start_process([Path(os.environ[VARIABLE]), "-c", configuration], output=log, env={})
        self._wait_until_ready()
        self._request(
            f"$JS.API.STREAM.CREATE.{STREAM}",
            {"name": STREAM, "subjects": [SUBJECT], "storage": "file", "num_replicas": 1, "allow_direct": True},
        )
        events = [json.dumps(make_event(number), separators=(",", ":")).encode() for number in range(200)]
        self._publications = [publication(SUBJECT, event) for event in events]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def append(self, clients: int, seconds: int) -> Rate:
        turn = itertools.cycle(self._publications)
        return load(self._connections(clients), seconds, lambda connection: connection.ask(next(turn)))

    def append_batches(self, clients: int, seconds: int, batch: int) -> Rate:
        """Published one after the other before the first answer; events a second."""
        request = b"".join(itertools.islice(itertools.cycle(self._publications), batch))
        rate = load(self._connections(clients), seconds, lambda connection: connection.ask(request, batch))
        return Rate(rate.per_second * batch, rate.p50, rate.p99)

    def read(self, clients: int, seconds: int, count: int) -> Rate:
        """The first so many, again and again."""
        request = publication(f"$JS.API.DIRECT.GET.{STREAM}", _json({"seq": 1, "batch": count}))
        rate = load(
            self._connections(clients), seconds, lambda connection: connection.ask(request, ends_with_status=True)
        )
        return Rate(rate.per_second * count, rate.p50, rate.p99)

    def read_and_ack(self, clients: int, seconds: int) -> Rate:
        """Take one event by a durable pull consumer and ack it; a pair is counted when the ack is confirmed."""
        name = f"workers-{time.monotonic_ns()}"
        settings = {"durable_name": name, "ack_policy": "explicit", "deliver_policy": "all"}
        limits = {"ack_wait": ACK_WAIT_NANOSECONDS, "max_ack_pending": 10_000}
        path = f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{name}"
        self._request(path, {"stream_name": STREAM, "config": {**settings, **limits}})
        take = publication(f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{name}", _json({"batch": 1}))

        def step(connection: _Connection) -> None:
            words = connection.line.split(b" ")
            # What was delivered names where its ack goes, and an ack's answer names nothing.
            if words[0] == b"MSG" and len(words) == 5:
                asked_at = connection.asked_at
                connection.ask(publication(words[3].decode(), b"+ACK"))
                # A pair took as long as both its halves.
                connection.asked_at = asked_at
            else:
                connection.ask(take)

        def is_acked(connection: _Connection) -> bool:
            words = connection.line.split(b" ")
            if words[0] == b"HMSG":
                raise SystemExit(f"NATS: {connection.answer[:200]!r}")
            return len(words) == 4

        return load(self._connections(clients), seconds, step, is_done=is_acked)

    def bytes_per_event(self) -> float:
        """In the files of the stream."""
        state = self._request(f"$JS.API.STREAM.INFO.{STREAM}", {})["state"]
        stored = sum(file.stat().st_blocks * 512 for file in Path(self._folder.name, "store").rglob("*.blk"))
        return stored / max(1, state["messages"])

    def _connections(self, clients: int) -> list[_Connection]:
        return [_Connection(self._port) for _ in range(clients)]

    def _request(self, subject: str, content: dict[str, Any]) -> dict[str, Any]:
        connection = _Connection(self._port)
        connection.ask(publication(subject, _json(content)))
        connection.wait()
        connection.close()
        answer: dict[str, Any] = json.loads(connection.answer[connection.answer.index(b"\r\n") :])
        if "error" in answer:
            raise SystemExit(f"NATS: {answer['error']}")
        return answer

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            try:
                # JetStream itself is ready when it tells of the account.
                self._request("$JS.API.INFO", {})
            except (ConnectionError, ValueError) as error:
                if time.monotonic() > deadline:
                    raise SystemExit("NATS did not start.") from error
                time.sleep(0.05)
            else:
                return


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
