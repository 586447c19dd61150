"""What is asked of the server over HTTP, the same of each place."""

import functools
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks import leases, raw, wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance
from benchmarks.kafka.places import Place
from benchmarks.waiting import wake_up_latencies

BATCH = 500
READ = 1_000
READERS = 4
MAX_BYTES = 8 * 1024 * 1024
SINGLES = [make_body(1, number)[1:-1] for number in range(200)]
STREAMS = {"singles": 1, "batches": 1, "keyed": 4, "short": 1, "long": 1, "woken": 1, "counted": 1}


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it.

    Attributes:
        seconds: of each load.
        short: events of a stream that fits into each worker's memory of what was read.
        long: events of one that does not.
        wakes: how often a waiting reader is woken.
    """

    seconds: int
    short: int = 60_000
    long: int = 250_000
    wakes: int = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a load came to. Latencies are milliseconds, CPU times microseconds an event."""

    per_second: float
    p50: float
    p99: float
    server_cpu: float = 0.0
    brokers_cpu: float = 0.0
    failures: int = 0


class Server:
    """One running server with a stream of each kind in each place, and a key for them."""

    def __init__(self, instance: Instance, places: Sequence[Place], size: Size) -> None:
        self.instance = instance
        self.size = size
        self.admin = sign_in(instance.port, instance.password)
        self.key: str = self.admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})[
            "secret"
        ]
        for place in places:
            for what, partitions in STREAMS.items():
                self.admin.call("POST", "/streams", place.settings(place.stream(what), partitions))
            for what, events in (("short", size.short), ("long", size.long)):
                self._fill(place.stream(what), events)

    def _fill(self, stream: str, events: int) -> None:
        writer = Api(self.instance.port, {"X-API-Key": self.key, "Prefer": "return=minimal"})
        for start in range(0, events, READ):
            writer.call("POST", f"/streams/{stream}/events", _bodies(READ)[start // READ % 40])

    def headers(self, **more: str) -> dict[str, str]:
        return {"X-API-Key": self.key, "Content-Type": "application/json", **more}

    def url(self, place: Place, what: str) -> str:
        return f"{self.instance.api}/streams/{place.stream(what)}/events"


Load = Callable[[Place], Outcome]


def loads_of(server: Server) -> dict[str, Load]:
    """Return what is measured, by its name."""
    return {
        **{f"single appends, {count} connections": _singles(server, count) for count in (16, 64, 256)},
        f"events in batches of {BATCH}, 4 connections": _batches(server, "batches"),
        "  the same, 4 partitions": _batches(server, "keyed"),
        f"events in polls of {READ:,} in sequence, remembered": _replay(server, "short", server.size.short),
        "  the same, not remembered": _replay(server, "long", server.size.long),
        f"events in leases of {BATCH}, acked, 2 consumers": _leases(server),
        "append → waiting reader": _wakes(server),
    }


def _measured(server: Server, factor: int, load: Callable[[Place], wrk.Load]) -> Load:
    def measure(place: Place) -> Outcome:
        server_before, brokers_before = server.instance.cpu_seconds(), place.cpu_seconds()
        found = load(place)
        events = max(1.0, found.requests_per_second * server.size.seconds * factor)
        return Outcome(
            found.requests_per_second * factor,
            found.p50,
            found.p99,
            1e6 * (server.instance.cpu_seconds() - server_before) / events,
            1e6 * (place.cpu_seconds() - brokers_before) / events,
            found.failures,
        )

    return measure


def _singles(server: Server, connections: int) -> Load:
    def load(place: Place) -> wrk.Load:
        url = server.url(place, "singles")
        return wrk.post(url, SINGLES, connections=connections, seconds=server.size.seconds, headers=server.headers())

    return _measured(server, 1, load)


def _batches(server: Server, what: str) -> Load:
    def load(place: Place) -> wrk.Load:
        headers = server.headers(Prefer="return=minimal")
        url = server.url(place, what)
        return wrk.post(url, _bodies(BATCH), connections=4, seconds=server.size.seconds, headers=headers)

    return _measured(server, BATCH, load)


def _replay(server: Server, what: str, events: int) -> Load:
    def load(place: Place) -> wrk.Load:
        url = f"{server.url(place, what)}?limit={READ}&max_bytes={MAX_BYTES}"
        return wrk.replay(
            url, events=events, step=READ, readers=READERS, seconds=server.size.seconds, headers=server.headers()
        )

    return _measured(server, READ, load)


def _leases(server: Server) -> Load:
    def measure(place: Place) -> Outcome:
        path = leases.make_group(server.admin, place.stream("long"))
        server_before, brokers_before = server.instance.cpu_seconds(), place.cpu_seconds()
        arguments = (server.instance.port, server.key, path, 1, BATCH, server.size.seconds)
        with multiprocessing.Pool(2) as pool:
            results = [each for own in pool.map(leases.consume, [arguments] * 2) for each in own]
        took = [1000 * each for result in results for each in result[2]]
        events = sum(result[0] for result in results)
        return Outcome(
            events / max(result[1] for result in results),
            *_quantiles(took),
            1e6 * (server.instance.cpu_seconds() - server_before) / events,
            1e6 * (place.cpu_seconds() - brokers_before) / events,
        )

    return measure


def _wakes(server: Server) -> Load:
    def measure(place: Place) -> Outcome:
        rounds = server.size.wakes
        took = wake_up_latencies(server.instance.port, server.key, place.stream("woken"), rounds=rounds)
        return Outcome(0.0, *_quantiles(took))

    return measure


def _quantiles(milliseconds: list[float]) -> tuple[float, float]:
    found = statistics.quantiles(milliseconds, n=100)
    return found[49], found[98]


@functools.cache
def _bodies(count: int) -> list[bytes]:
    return [make_body(count, count * number) for number in range(40)]


def settle(server: Server) -> None:
    """Wait until the roll-ups have caught up, so that a load does not pay for the events of the one before it."""
    raw.wait_until_counted(server.instance.database_url)
