"""Lease mode over HTTP: lease + ack in batches, one by one, and beside 100,000 waiting failures.

`make bench` prints it after the log's table; `python -m benchmarks.leases` measures it alone, on a server of its own.
"""

import multiprocessing
import re
import socket
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

SECONDS = 6
BATCH = 500
EVENTS = 400_000
_DELIVERY = re.compile(rb'"delivery_id":(\d+),"lease_token":"([0-9a-f-]{36})"')
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_FIRST_AND_LAST = re.compile(rb'"first_offset":(\d+),"last_offset":(\d+)')
console = Console()


class Consumer:
    """Leases and acks on one connection, with as little work of its own as it can do."""

    def __init__(self, port: int, key: str, path: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._path = f"/api/v1{path}".encode()
        self._headers = (
            b" HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: %b\r\nContent-Type: application/json\r\nContent-Length: %%d\r\n\r\n"
            % key.encode()
        )

    def lease_and_ack(self, max_events: int) -> int:
        """Return how many events came."""
        answer = self._post("lease", b'{"max_events":%d}' % max_events)
        # Events hold no such text before the first of their delivery's own fields.
        found = _DELIVERY.search(answer)
        if found is None:
            return 0
        first, last = _FIRST_AND_LAST.search(answer).groups()
        self._post("ack", b'{"deliveries":[{"delivery_id":%b,"lease_token":"%b"}]}' % found.groups())
        return int(last) - int(first) + 1

    def fail_all(self, max_events: int, delay: float) -> int:
        """Lease and name every event as failed; return how many there were."""
        answer = self._post("lease", b'{"max_events":%d}' % max_events)
        found = _DELIVERY.search(answer)
        if found is None:
            return 0
        first, last = map(int, _FIRST_AND_LAST.search(answer).groups())
        failed = b",".join(b'{"offset":%d,"delay":%f}' % (offset, delay) for offset in range(first, last + 1))
        body = b'{"deliveries":[{"delivery_id":%b,"lease_token":"%b","failed":[%b]}]}' % (*found.groups(), failed)
        self._post("ack", body)
        return last - first + 1

    def _post(self, verb: str, body: bytes) -> bytes:
        self._socket.sendall(b"POST %b/%b" % (self._path, verb.encode()) + self._headers % len(body) + body)
        answer = self._socket.recv(65536)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self._socket.recv(65536)
        found = _LENGTH.search(answer, 0, end + 2)
        size = end + 4 + int(found[1] if found else 0)
        parts = [answer]
        left = size - len(answer)
        while left > 0:
            parts.append(self._socket.recv(1 << 20))
            left -= len(parts[-1])
        answer = b"".join(parts)
        if not answer.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{verb}: {answer[:500]!r}")
        return answer


Consumed = tuple[int, float, list[float]]


def consume(arguments: tuple[int, str, str, int, int, float]) -> list[Consumed]:
    """Let some consumers lease and ack, in threads of this process: of each, events, seconds, and how long a pair took."""
    port, key, path, consumers, max_events, seconds = arguments
    with ThreadPoolExecutor(consumers) as threads:
        return list(threads.map(lambda _: _consume(port, key, path, max_events, seconds), range(consumers)))


def _consume(port: int, key: str, path: str, max_events: int, seconds: float) -> Consumed:
    consumer = Consumer(port, key, path)
    took: list[float] = []
    events = 0
    begun = ended = time.perf_counter()
    while (started := time.perf_counter()) - begun < seconds:
        count = consumer.lease_and_ack(max_events)
        if not count:
            # Many consumers may find the few partitions busy for a moment; or all is done.
            time.sleep(0.001)
            continue
        events += count
        ended = time.perf_counter()
        took.append(ended - started)
    # Not for how long nothing was left.
    return events, ended - begun, took


def fill(admin: Api, name: str, *, partitions: int, events: int) -> None:
    """Make a stream and append events to it."""
    admin.call("POST", "/streams", {"name": name, "partitions": partitions})
    bodies = [make_body(1000, 1000 * number) for number in range(20)]
    for number in range(events // 1000):
        admin.call("POST", f"/streams/{name}/events", bodies[number % len(bodies)])


def make_group(admin: Api, stream: str) -> str:
    """Make a group that leases the stream from its beginning; return its path."""
    name = f"group-{time.monotonic_ns()}"
    settings = {"name": name, "mode": "lease", "max_in_flight": 1_000_000}
    admin.call("POST", f"/streams/{stream}/consumer-groups", settings)
    return f"/streams/{stream}/consumer-groups/{name}"


def measure(instance: Instance, admin: Api, key: str, table: Table) -> None:
    def add(what: str, path: str, consumers: int, max_events: int, *, per_event: bool) -> None:
        console.print(f"  {what} …")
        before = instance.cpu_seconds()
        processes = min(2, consumers)
        with multiprocessing.Pool(processes) as pool:
            arguments = (instance.port, key, path, consumers // processes, max_events, SECONDS)
            results = [each for own in pool.map(consume, [arguments] * processes) for each in own]
        seconds = max(result[1] for result in results)
        pairs = sum(len(result[2]) for result in results)
        count = sum(result[0] for result in results) if per_event else pairs
        cpu = (instance.cpu_seconds() - before) / max(1, pairs)
        took = statistics.quantiles([each for result in results for each in result[2]], n=100)
        table.add_row(
            what, f"{count / seconds:,.0f}", f"{1000 * took[49]:.1f}", f"{1000 * took[98]:.1f}", f"{1e6 * cpu:,.0f}"
        )

    for partitions in (1, 4):
        stream = f"leased-{partitions}"
        fill(admin, stream, partitions=partitions, events=EVENTS)
        lanes = "1 partition" if partitions == 1 else f"{partitions} partitions"
        what = f"events in leases of {BATCH}, acked, {lanes}, 2 consumers"
        add(what, make_group(admin, stream), 2, BATCH, per_event=True)
        for consumers in (1, 8, 64):
            who = "1 consumer" if consumers == 1 else f"{consumers} consumers"
            what = f"lease + ack of one event, {lanes}, {who}"
            add(what, make_group(admin, stream), consumers, 1, per_event=False)
    few, many = (make_group(admin, "leased-1") for _ in range(2))
    for path, failures in ((few, 10), (many, 100_000)):
        consumer = Consumer(instance.port, key, path)
        while failures > 0:
            failures -= consumer.fail_all(min(1000, failures), delay=3600)
    console.print("  beside waiting failures …")
    medians = waiting_ratio(instance.port, key, few, many)
    for failures, median in zip((10, 100_000), medians, strict=True):
        table.add_row(f"lease + ack of 100, {failures:,} failures waiting", "", f"{1000 * median:.1f}", "", "")
    table.add_row("  ratio of the two", f"{medians[1] / medians[0]:.2f}", "", "", "")


def waiting_ratio(port: int, key: str, *paths: str, rounds: int = 300) -> list[float]:
    """Return the median seconds of lease + ack in each group, taken in turns."""
    consumers = [Consumer(port, key, path) for path in paths]
    took: list[list[float]] = [[] for _ in paths]
    for _ in range(rounds):
        for consumer, own in zip(consumers, took, strict=True):
            started = time.perf_counter()
            consumer.lease_and_ack(100)
            own.append(time.perf_counter() - started)
    return [statistics.median(own) for own in took]


def report(instance: Instance, admin: Api, key: str) -> Table:
    """Measure lease mode on a running instance; return the table."""
    table = Table(title="Lease mode over HTTP")
    for heading in ("what", "per second", "p50 ms", "p99 ms", "CPU µs/pair"):
        table.add_column(heading, justify="left" if heading == "what" else "right", no_wrap=True)
    measure(instance, admin, key, table)
    return table


def main() -> None:
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        table = report(instance, admin, key)
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
