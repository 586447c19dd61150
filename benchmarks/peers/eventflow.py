"""EventFlow over HTTP, as the other benchmarks drive it."""

import functools
import multiprocessing
import statistics

from benchmarks import leases, raw, wrk
from benchmarks.api import sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance
from benchmarks.peers.rates import Rate

SINGLES = [make_body(1, number)[1:-1] for number in range(200)]


class EventFlow:
    """One running instance with a stream and a key."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._admin = sign_in(instance.port, instance.password)
        for name, partitions in (("orders", 1), ("batches", 1), ("raw", 16)):
            self._admin.call("POST", "/streams", {"name": name, "partitions": partitions})
        self._key = self._admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        self._headers = {"X-API-Key": self._key, "Content-Type": "application/json"}

    def append(self, clients: int, seconds: int) -> Rate:
        raw.wait_until_counted(self._instance.database_url)
        url = f"{self._instance.api}/streams/orders/events"
        return _rate_of(wrk.post(url, SINGLES, connections=clients, seconds=seconds, headers=self._headers))

    def append_batches(self, clients: int, seconds: int, batch: int) -> Rate:
        raw.wait_until_counted(self._instance.database_url)
        headers = {**self._headers, "Prefer": "return=minimal"}
        url = f"{self._instance.api}/streams/batches/events"
        load = wrk.post(url, _bodies(batch), connections=clients, seconds=seconds, headers=headers)
        return _rate_of(load, factor=batch)

    def read(self, clients: int, seconds: int, count: int) -> Rate:
        url = f"{self._instance.api}/streams/batches/events?last_offset=0&limit={count}&max_bytes=8388608"
        return _rate_of(wrk.get(url, connections=clients, seconds=seconds, headers=self._headers), factor=count)

    def lease_and_ack(self, clients: int, seconds: int) -> Rate:
        """One event at a time; the stream was filled by `append_batches`."""
        path = leases.make_group(self._admin, "batches")
        processes = min(2, clients)
        arguments = (self._instance.port, self._key, path, clients // processes, 1, seconds)
        with multiprocessing.Pool(processes) as pool:
            results = [each for own in pool.map(leases.consume, [arguments] * processes) for each in own]
        took = statistics.quantiles([1000 * each for result in results for each in result[2]], n=100)
        pairs = sum(len(result[2]) for result in results)
        return Rate(pairs / max(result[1] for result in results), took[49], took[98])

    def raw_appends(self, seconds: int) -> Rate:
        """The same statement without EventFlow: psycopg, 16 connections, each with a partition of its own."""
        url = self._instance.database_url
        ids = raw.partition_ids(url, "raw")
        return Rate(raw.append_per_second(url, ids, events=1, seconds=seconds))

    def bytes_per_event(self) -> float:
        """Of events in batches, with rows, indexes and TOAST."""
        return raw.stored_bytes_per_event(self._instance.database_url, "batches")[1]


@functools.cache
def _bodies(batch: int) -> list[bytes]:
    return [make_body(batch, batch * number) for number in range(40)]


def _rate_of(load: wrk.Load, *, factor: int = 1) -> Rate:
    if load.failures:
        raise SystemExit(f"{load.failures} requests failed.")
    return Rate(load.requests_per_second * factor, load.p50, load.p99)
