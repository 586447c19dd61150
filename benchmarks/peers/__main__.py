"""EventFlow beside what users would pick instead: `python -m benchmarks.peers`.

By turns, on one disk; everything is synced before it is answered. PGMQ takes part where PGMQ_SQL names its SQL file.
Read the ratios, not the figures: what each system does for an event differs, and docs/benchmarks.md says how.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.instance import Instance
from benchmarks.peers import pgmq
from benchmarks.peers.eventflow import EventFlow
from benchmarks.peers.rates import Rate
from benchmarks.peers.valkey_streams import ValkeyStreams

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BATCH = 500
READ = 1000
console = Console(width=140)

Systems = dict[str, Callable[[], Rate]]
Line = tuple[str, Systems]


def lines_of(eventflow: EventFlow, valkey: ValkeyStreams, queue: "pgmq.Pgmq | None") -> list[Line]:
    """What is measured, and how of each system that can do it."""

    lines: list[Line] = []
    for clients in (16, 64, 256):
        systems: Systems = {
            "eventflow": partial(eventflow.append, clients, SECONDS),
            "valkey": partial(valkey.append, clients, SECONDS),
        }
        if queue:
            # Each of pgbench's clients is a connection to PostgreSQL, which has a hundred.
            systems["pgmq"] = partial(queue.send, min(clients, 64), SECONDS)
        lines.append((f"single appends, {clients} connections", systems))
    lines.append(
        ("single appends, the raw statement, 16 connections", {"eventflow": partial(eventflow.raw_appends, SECONDS)})
    )
    batches: Systems = {
        "eventflow": partial(eventflow.append_batches, 4, SECONDS, BATCH),
        "valkey": partial(valkey.append_batches, 4, SECONDS, BATCH),
    }
    reads: Systems = {
        "eventflow": partial(eventflow.read, 4, SECONDS, READ),
        "valkey": partial(valkey.read, 4, SECONDS, READ),
    }
    leases: Systems = {
        "eventflow": partial(eventflow.lease_and_ack, 64, SECONDS),
        "valkey": partial(valkey.read_and_ack, 64, SECONDS),
    }
    if queue:
        batches["pgmq"] = partial(queue.send_batches, 4, SECONDS, BATCH)
        leases["pgmq"] = partial(queue.read_and_delete, 64, SECONDS)
    return [
        *lines,
        (f"events in batches of {BATCH}, 4 connections", batches),
        (f"events read, {READ} at a time, 4 connections", reads),
        ("lease + ack of one event, 64 consumers", leases),
    ]


def main() -> None:
    wrk.require_wrk()
    with ExitStack() as stack:
        instance = stack.enter_context(Instance())
        eventflow = EventFlow(instance)
        valkey = stack.enter_context(ValkeyStreams())
        queue = stack.enter_context(pgmq.Pgmq(instance.database_url)) if pgmq.is_given() else None
        table = Table("what", *(f"{name}" for name in ("EventFlow", "Valkey Streams", "ratio", "PGMQ", "ratio")))
        for what, systems in lines_of(eventflow, valkey, queue):
            console.print(f"  {what} …")
            rates: dict[str, list[Rate]] = {name: [] for name in systems}
            for _ in range(ROUNDS):
                for name, run in systems.items():
                    rates[name].append(run())
            table.add_row(what, *_cells(rates))
        table.add_row("bytes on disk for an event", *_bytes(eventflow, queue))
        console.print(table)


def _cells(rates: dict[str, list[Rate]]) -> list[str]:
    own = median(rate.per_second for rate in rates["eventflow"])
    cells = [_words(rates["eventflow"])]
    for name in ("valkey", "pgmq"):
        if name in rates:
            cells += [_words(rates[name]), f"{own / median(rate.per_second for rate in rates[name]):.2f}"]
        else:
            cells += ["", ""]
    return cells


def _words(rates: list[Rate]) -> str:
    text = f"{median(rate.per_second for rate in rates):,.0f}/s"
    p99 = [rate.p99 for rate in rates if rate.p99 is not None]
    return text + (f", p99 {median(p99):,.0f} ms" if p99 else "")


def _bytes(eventflow: EventFlow, queue: "pgmq.Pgmq | None") -> list[str]:
    own = eventflow.bytes_per_event()
    theirs = queue.bytes_per_message() if queue else None
    return [f"{own:,.0f}", "", "", *([f"{theirs:,.0f}", f"{own / theirs:.2f}"] if theirs else ["", ""])]


if __name__ == "__main__":
    main()
