"""Valkey Streams that are synced before they answer: `appendfsync always`, on a server of its own."""

import json
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.events import make_event
from benchmarks.peers.rates import Rate
from benchmarks.peers.sockets import Connection, load
from eventflow_site.embedded.process import start_process
from eventflow_site.embedded.valkey import find_program

STREAM = b"orders"
GROUP = b"workers"
READY_SECONDS = 30


def command(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


class _Connection(Connection):
    def __init__(self, path: Path) -> None:
        super().__init__(socket.AF_UNIX, str(path))
        self.expected = 1
        self.size = 0

    def ask(self, request: bytes, answers: int = 1, *, size: int = 0) -> None:
        """Send a request; `size` is that of its answer, where it is known and long."""
        self.expected, self.size = answers, size
        self.send(request)

    def is_answered(self) -> bool:
        if self.size:
            return len(self.answer) >= self.size
        if self.answer.startswith(b"-"):
            raise SystemExit(f"Valkey: {self.answer[:200]!r}")
        return _count_answers(self.answer) >= self.expected


def _count_answers(text: bytes) -> int:
    """How many whole answers stand in it: strings, numbers, and arrays of these."""
    count, at = 0, 0
    while (end := _end_of_answer(text, at)) > 0:
        count, at = count + 1, end
    return count


def _end_of_answer(text: bytes, at: int) -> int:
    line_end = text.find(b"\r\n", at)
    if line_end < 0:
        return -1
    kind, after = text[at : at + 1], line_end + 2
    if kind not in b"$*":
        return after
    size = int(text[at + 1 : line_end])
    if kind == b"$":
        end = after + size + 2 if size >= 0 else after
        return end if end <= len(text) else -1
    for _ in range(max(0, size)):
        after = _end_of_answer(text, after)
        if after < 0:
            return -1
    return after


class ValkeyStreams:
    """A server that is started when this is entered, and ended with it."""

    def __enter__(self) -> "ValkeyStreams":
        self._folder = tempfile.TemporaryDirectory(prefix="eventflow-bench-")
        folder = Path(self._folder.name)
        self._path = folder / "valkey.sock"
        options = ("--port", "0", "--unixsocket", self._path, "--dir", folder, "--save", "", "--appendonly", "yes")
        with (folder / "log").open("wb") as log:
            self._process = start_process([find_program(), *options, "--appendfsync", "always"], output=log, env={})
        deadline = time.monotonic() + READY_SECONDS
        while not self._path.exists():
            if time.monotonic() > deadline:
                raise SystemExit("Valkey did not start.")
            time.sleep(0.05)
        payloads = [json.dumps(make_event(number), separators=(",", ":")).encode() for number in range(200)]
        self._adds = [command(b"XADD", STREAM, b"*", b"event", payload) for payload in payloads]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def append(self, clients: int, seconds: int) -> Rate:
        turn = iter(range(1 << 60))

        def step(connection: _Connection) -> None:
            connection.ask(self._adds[next(turn) % len(self._adds)])

        return self._load(clients, seconds, step)

    def append_batches(self, clients: int, seconds: int, batch: int) -> Rate:
        """Pipelined, as one has no other way; events a second."""
        request = b"".join(self._adds[number % len(self._adds)] for number in range(batch))
        rate = self._load(clients, seconds, lambda connection: connection.ask(request, batch))
        return Rate(rate.per_second * batch, rate.p50, rate.p99)

    def read(self, clients: int, seconds: int, count: int) -> Rate:
        request = command(b"XRANGE", STREAM, b"-", b"+", b"COUNT", b"%d" % count)
        connection = _Connection(self._path)
        connection.ask(request)
        connection.wait()
        size = len(connection.answer)
        connection.socket.close()
        rate = self._load(clients, seconds, lambda connection: connection.ask(request, size=size))
        return Rate(rate.per_second * count, rate.p50, rate.p99)

    def read_and_ack(self, clients: int, seconds: int) -> Rate:
        """Take one event as a consumer group and ack it; a pair is counted when the ack is answered."""
        self._call(command(b"XGROUP", b"CREATE", STREAM, GROUP, b"0"), may_fail=True)
        # From the beginning each time.
        self._call(command(b"XGROUP", b"SETID", STREAM, GROUP, b"0"))
        acked: dict[int, bytes] = {}

        def step(connection: _Connection) -> None:
            consumer = b"%d" % connection.socket.fileno()
            taken = acked.pop(connection.socket.fileno(), None)
            if taken is None and connection.answer.startswith(b"*1"):
                # [[stream, [[id, fields]]]]
                found = connection.answer.split(b"\r\n")[7]
                acked[connection.socket.fileno()] = found
                asked_at = connection.asked_at
                connection.ask(command(b"XACK", STREAM, GROUP, found))
                # A pair took as long as both its halves.
                connection.asked_at = asked_at
            else:
                connection.ask(
                    command(b"XREADGROUP", b"GROUP", GROUP, consumer, b"COUNT", b"1", b"STREAMS", STREAM, b">")
                )

        return self._load(clients, seconds, step, is_done=lambda connection: connection.answer.startswith(b":"))

    def bytes_per_event(self) -> float:
        """In the append-only file, which is compacted now and again; its memory is another matter."""
        stored = sum(file.stat().st_blocks * 512 for file in Path(self._folder.name).rglob("*.aof"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._path))
            client.sendall(command(b"XLEN", STREAM))
            return stored / int(client.recv(100)[1:])

    def _call(self, request: bytes, *, may_fail: bool = False) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._path))
            client.sendall(request)
            answer = client.recv(1000)
        if answer.startswith(b"-") and not may_fail:
            raise SystemExit(f"Valkey: {answer[:200]!r}")

    def _load(
        self,
        clients: int,
        seconds: int,
        step: Callable[[_Connection], None],
        *,
        is_done: Callable[[_Connection], bool] = lambda _: True,
    ) -> Rate:
        return load([_Connection(self._path) for _ in range(clients)], seconds, step, is_done=is_done)
