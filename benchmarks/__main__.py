"""`make bench`: EventFlow's own server over HTTP, against the raw limit of the same database in the same run.

Machines differ and are noisy: read the ratios, not the absolute figures.
"""

import functools
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks import leases, raw, wrk
from benchmarks.api import sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance
from benchmarks.waiting import waiting_polls, wake_up_latencies

SECONDS = 6
BATCH = 500
WAITING = 1_000
PAIRS = 3
console = Console()


STREAMS = {"singles": 1, "batches": 1, "full": 1, "keyed": 4, "raw": 4, "raw-one": 16, "quiet": 1, "woken": 1}


@dataclass(slots=True)
class Bench:
    """An instance under load, and the table that fills."""

    instance: Instance
    key: str
    table: Table

    def headers(self, **more: str) -> dict[str, str]:
        return {"X-API-Key": self.key, "Content-Type": "application/json", **more}

    def limit(self, what: str, rate: float) -> float:
        self.table.add_row(what, f"{rate:,.0f}", "", "", "", "1.00")
        return rate

    def load(self, what: str, run: Callable[[], wrk.Load], *, factor: int = 1, limit: float | None = None) -> float:
        """Run a load and add its line; `factor` events are in each request. Return events per second."""
        console.print(f"  {what} …")
        raw.wait_until_counted(self.instance.database_url)
        before = self.instance.cpu_seconds()
        load = run()
        cpu = (self.instance.cpu_seconds() - before) / max(1.0, load.requests_per_second * SECONDS) * 1e6
        rate = load.requests_per_second * factor
        self.table.add_row(
            what + (f" ({load.failures} FAILED)" if load.failures else ""),
            f"{rate:,.0f}",
            f"{load.p50:.1f}",
            f"{load.p99:.1f}",
            f"{cpu:,.0f}",
            f"{rate / limit:.2f}" if limit else "",
        )
        return rate


def main() -> None:
    wrk.require_wrk()
    table = Table(title="EventFlow over HTTP: durable, authenticated, validated, counted, logged")
    for heading in ("what", "per second", "p50 ms", "p99 ms", "CPU µs/request", "of the limit"):
        table.add_column(heading, justify="left" if heading == "what" else "right", no_wrap=True)
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        for name, partitions in STREAMS.items():
            admin.call("POST", "/streams", {"name": name, "partitions": partitions})
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        measure(Bench(instance, key, table))
        Console(width=120).print(table)
        Console(width=120).print(leases.report(instance, admin, key))


def measure(bench: Bench) -> None:
    api, url = bench.instance.api, bench.instance.database_url
    singles = [make_body(1, number)[1:-1] for number in range(200)]
    bodies = [make_body(BATCH, BATCH * number) for number in range(40)]
    console.print(f"Events of {sum(map(len, singles)) / len(singles):.0f} bytes, {SECONDS} s a line.")

    ids = raw.partition_ids(url, "raw-one")
    raw_one = bench.limit(
        "raw: single appends, 16 connections", raw.append_per_second(url, ids, events=1, seconds=SECONDS)
    )
    ids = raw.partition_ids(url, "raw")
    raw_many = bench.limit(
        f"raw: events in batches of {BATCH}, 4 connections",
        raw.append_per_second(url, ids, events=BATCH, seconds=SECONDS),
    )

    def post_singles() -> wrk.Load:
        return wrk.post(
            f"{api}/streams/singles/events", singles, connections=64, seconds=SECONDS, headers=bench.headers()
        )

    def post_batches(stream: str, **headers: str) -> wrk.Load:
        path = f"{api}/streams/{stream}/events"
        return wrk.post(path, bodies, connections=4, seconds=SECONDS, headers=bench.headers(**headers))

    def poll(offset: int) -> wrk.Load:
        path = f"{api}/streams/batches/events?last_offset={offset}&limit=1000&max_bytes=8388608"
        return wrk.get(path, connections=4, seconds=SECONDS, headers=bench.headers())

    bench.load("single appends, 64 connections", post_singles, limit=raw_one)
    minimal = {"Prefer": "return=minimal"}
    for what, stream, headers in (
        ("return=minimal", "batches", minimal),
        ("a result each", "full", {}),
        ("return=minimal, 4 partitions", "keyed", minimal),
    ):
        bench.load(
            f"events in batches of {BATCH}, {what}",
            functools.partial(post_batches, stream, **headers),
            factor=BATCH,
            limit=raw_many,
        )
    bench.load("events in polls of 1,000", functools.partial(poll, 0), factor=1000)

    latencies = statistics.quantiles(wake_up_latencies(bench.instance.port, bench.key, "woken", rounds=100), n=100)
    bench.table.add_row("append → waiting poll", "", f"{latencies[49]:.1f}", f"{latencies[98]:.1f}", "", "")
    compare_waiting(bench, post_singles, limit=raw_one)
    compressed, on_disk = raw.stored_bytes_per_event(url, "batches")
    bench.table.add_row(f"bytes per event in batches of {BATCH}", f"{compressed:.1f}", "", "", "", "")
    bench.table.add_row("  with rows, indexes and TOAST", f"{on_disk:.1f}", "", "", "", "")


def compare_waiting(bench: Bench, post_singles: Callable[[], wrk.Load], *, limit: float) -> None:
    """What waiting polls cost appends, by several pairs of runs: one pair alone says more of the machine."""
    ratios = []
    for turn in range(1, PAIRS + 1):
        with waiting_polls(bench.instance.port, bench.key, "quiet", WAITING):
            waiting = bench.load(f"single appends, {WAITING:,} polls waiting, {turn}", post_singles, limit=limit)
        ratios.append(waiting / bench.load(f"single appends, none waiting, {turn}", post_singles, limit=limit))
    told = f"{min(ratios):.2f} to {max(ratios):.2f}"
    bench.table.add_row("  ratio of the two, median", f"{statistics.median(ratios):.2f}", "", "", "", told)


if __name__ == "__main__":
    main()
