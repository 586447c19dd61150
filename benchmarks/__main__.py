"""`make bench`: EventFlow's own server over HTTP, against the raw limit of the same database in the same run.

Machines differ and are noisy: read the ratios, not the absolute figures.
"""

import functools
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks import leases, raw, wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance
from benchmarks.waiting import waiting_polls, wake_up_latencies

SECONDS = 6
BATCH = 500
WAITING = int(os.environ.get("WAITING", "1_000"))
PAIRS = 6
SINGLES = [make_body(1, number)[1:-1] for number in range(200)]
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

    def post_singles(self) -> wrk.Load:
        path = f"{self.instance.api}/streams/singles/events"
        return wrk.post(path, SINGLES, connections=64, seconds=SECONDS, headers=self.headers())

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
        admin, key = prepare(instance)
        measure(Bench(instance, key, table))
        Console(width=120).print(table)
        Console(width=120).print(leases.report(instance, admin, key))
    Console(width=120).print(compare_waiting())


def prepare(instance: Instance) -> tuple[Api, str]:
    """Make the streams and an API key; return the admin's client and the key."""
    admin = sign_in(instance.port, instance.password)
    for name, partitions in STREAMS.items():
        admin.call("POST", "/streams", {"name": name, "partitions": partitions})
    return admin, admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]


def measure(bench: Bench) -> None:
    api, url = bench.instance.api, bench.instance.database_url
    bodies = [make_body(BATCH, BATCH * number) for number in range(40)]
    console.print(f"Events of {sum(map(len, SINGLES)) / len(SINGLES):.0f} bytes, {SECONDS} s a line.")

    ids = raw.partition_ids(url, "raw-one")
    raw_one = bench.limit(
        "raw: single appends, 16 connections", raw.append_per_second(url, ids, events=1, seconds=SECONDS)
    )
    ids = raw.partition_ids(url, "raw")
    raw_many = bench.limit(
        f"raw: events in batches of {BATCH}, 4 connections",
        raw.append_per_second(url, ids, events=BATCH, seconds=SECONDS),
    )

    def post_batches(stream: str, **headers: str) -> wrk.Load:
        path = f"{api}/streams/{stream}/events"
        return wrk.post(path, bodies, connections=4, seconds=SECONDS, headers=bench.headers(**headers))

    def poll(offset: int) -> wrk.Load:
        path = f"{api}/streams/batches/events?last_offset={offset}&limit=1000&max_bytes=8388608"
        return wrk.get(path, connections=4, seconds=SECONDS, headers=bench.headers())

    # Threads come with the first load: what a server does in its first seconds is another question.
    bench.post_singles()
    bench.load("single appends, 64 connections", bench.post_singles, limit=raw_one)
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
    compressed, on_disk = raw.stored_bytes_per_event(url, "batches")
    bench.table.add_row(f"bytes per event in batches of {BATCH}", f"{compressed:.1f}", "", "", "", "")
    bench.table.add_row("  with rows, indexes and TOAST", f"{on_disk:.1f}", "", "", "", "")


def compare_waiting() -> Table:
    """What waiting polls cost appends: two servers side by side, one with and one without, by turns.

    One pair of runs says more of the machine's other guests than of the polls. And a server that has had many polls is
    no longer what it was: its threads stay.
    """
    table = Table(
        "what", "per second", title=f"Single appends without and with {WAITING:,} polls waiting, {PAIRS} pairs"
    )
    without: list[float] = []
    with_polls: list[float] = []
    memory_of_each: list[float] = []
    with Instance(is_embedded=True) as plain, Instance(is_embedded=True) as busy:
        idle = plain.memory_bytes()
        plain_bench, busy_bench = Bench(plain, prepare(plain)[1], table), Bench(busy, prepare(busy)[1], table)
        plain_bench.post_singles()
        busy_bench.post_singles()
        for turn in range(PAIRS):
            console.print(f"  single appends without and with {WAITING:,} polls waiting, {turn + 1} of {PAIRS} …")
            if turn % 2 == 0:
                without.append(_rate_of(plain_bench))
            before = busy.memory_bytes(of="granian")
            with waiting_polls(busy.port, busy_bench.key, "quiet", WAITING):
                memory_of_each.append((busy.memory_bytes(of="granian") - before) / WAITING)
                with_polls.append(_rate_of(busy_bench))
            if turn % 2 == 1:
                without.append(_rate_of(plain_bench))
    ratios = [one / other for one, other in zip(with_polls, without, strict=True)]
    table.add_row("none waiting, median", f"{statistics.median(without):,.0f}")
    table.add_row("polls waiting, median", f"{statistics.median(with_polls):,.0f}")
    table.add_row("  ratio of a pair, median", f"{statistics.median(ratios):.2f}")
    table.add_row("  the least and the most", f"{min(ratios):.2f} {max(ratios):.2f}")
    # Later ones find the memory of those before them.
    table.add_row("KB of memory for each that waits, at first", f"{memory_of_each[0] / 1000:.1f}")
    table.add_row("MB of all processes that `make run` starts, idle", f"{idle / 1e6:.0f}")
    return table


def _rate_of(bench: Bench) -> float:
    raw.wait_until_counted(bench.instance.database_url)
    return bench.post_singles().requests_per_second


if __name__ == "__main__":
    main()
