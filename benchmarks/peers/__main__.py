"""EventFlow beside what users would pick instead: `python -m benchmarks.peers`.

By turns, on one disk; everything is synced before it is answered. PGMQ takes part where PGMQ_SQL names its SQL file,
NATS JetStream where NATS_BIN names its program.
Read the ratios, not the figures: what each system does for an event differs, and docs/benchmarks.md says how.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.instance import Instance
from benchmarks.peers import nats_jetstream, pgmq
from benchmarks.peers.eventflow import EventFlow
from benchmarks.peers.nats_jetstream import NatsJetStream
from benchmarks.peers.pgmq import Pgmq
from benchmarks.peers.rates import Rate
from benchmarks.peers.valkey_streams import ValkeyStreams

SECONDS = int(os.environ.get("BENCH_SECONDS", "5"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BATCH = 500
READ = 1000
console = Console(width=180)

NAMES = {"eventflow": "EventFlow", "valkey": "Valkey Streams", "nats": "NATS JetStream", "pgmq": "PGMQ"}
Systems = dict[str, Callable[[], Rate]]
Line = tuple[str, Systems]


@dataclass(frozen=True, slots=True)
class Running:
    """Who takes part in this run."""

    eventflow: EventFlow
    valkey: ValkeyStreams
    nats: NatsJetStream | None
    pgmq: Pgmq | None

    def names(self) -> list[str]:
        return [name for name in NAMES if getattr(self, name) is not None]


def lines_of(running: Running) -> list[Line]:
    """What is measured, and how of each system that can do it."""
    return [
        *(_single_appends(running, clients) for clients in (16, 64, 256)),
        ("the raw statement, 16 connections", {"eventflow": partial(running.eventflow.raw_appends, SECONDS)}),
        _batches(running),
        _reads(running),
        _leases(running),
    ]


def _single_appends(running: Running, clients: int) -> Line:
    systems: Systems = {
        "eventflow": partial(running.eventflow.append, clients, SECONDS),
        "valkey": partial(running.valkey.append, clients, SECONDS),
    }
    if running.nats:
        systems["nats"] = partial(running.nats.append, clients, SECONDS)
    if running.pgmq:
        # Each of pgbench's clients is a connection to PostgreSQL, which has a hundred.
        systems["pgmq"] = partial(running.pgmq.send, min(clients, 64), SECONDS)
    return f"single appends, {clients} connections", systems


def _batches(running: Running) -> Line:
    systems: Systems = {
        "eventflow": partial(running.eventflow.append_batches, 4, SECONDS, BATCH),
        "valkey": partial(running.valkey.append_batches, 4, SECONDS, BATCH),
    }
    if running.nats:
        systems["nats"] = partial(running.nats.append_batches, 4, SECONDS, BATCH)
    if running.pgmq:
        systems["pgmq"] = partial(running.pgmq.send_batches, 4, SECONDS, BATCH)
    return f"events in batches of {BATCH}, 4 connections", systems


def _reads(running: Running) -> Line:
    systems: Systems = {
        "eventflow": partial(running.eventflow.read, 4, SECONDS, READ),
        "valkey": partial(running.valkey.read, 4, SECONDS, READ),
    }
    if running.nats:
        systems["nats"] = partial(running.nats.read, 4, SECONDS, READ)
    return f"events read, {READ} at a time, 4 connections", systems


def _leases(running: Running) -> Line:
    systems: Systems = {
        "eventflow": partial(running.eventflow.lease_and_ack, 64, SECONDS),
        "valkey": partial(running.valkey.read_and_ack, 64, SECONDS),
    }
    if running.nats:
        systems["nats"] = partial(running.nats.read_and_ack, 64, SECONDS)
    if running.pgmq:
        systems["pgmq"] = partial(running.pgmq.read_and_delete, 64, SECONDS)
    return "lease + ack of one event, 64 consumers", systems


def main() -> None:
    wrk.require_wrk()
    with ExitStack() as stack:
        instance = stack.enter_context(Instance())
        running = Running(
            eventflow=EventFlow(instance),
            valkey=stack.enter_context(ValkeyStreams()),
            nats=stack.enter_context(NatsJetStream()) if nats_jetstream.is_given() else None,
            pgmq=stack.enter_context(Pgmq(instance.database_url)) if pgmq.is_given() else None,
        )
        table = Table("what", "EventFlow")
        peers = running.names()[1:]
        for name in peers:
            table.add_column(NAMES[name])
            table.add_column("ratio")
        for what, systems in lines_of(running):
            console.print(f"  {what} …")
            rates: dict[str, list[Rate]] = {name: [] for name in systems}
            for _ in range(ROUNDS):
                for name, run in systems.items():
                    rates[name].append(run())
            table.add_row(what, *_cells(rates, peers))
        table.add_row("bytes on disk for an event", *_bytes(running, peers))
        console.print(table)


def _cells(rates: dict[str, list[Rate]], peers: Sequence[str]) -> list[str]:
    own = _middle(rates["eventflow"])
    cells = [_words(rates["eventflow"])]
    for name in peers:
        cells += [_words(rates[name]), f"{own / _middle(rates[name]):.2f}"] if name in rates else ["", ""]
    return cells


def _middle(rates: list[Rate]) -> float:
    return median(rate.per_second for rate in rates)


def _words(rates: list[Rate]) -> str:
    p99 = [rate.p99 for rate in rates if rate.p99 is not None]
    return f"{_middle(rates):,.0f}/s" + (f", p99 {median(p99):,.0f} ms" if p99 else "")


def _bytes(running: Running, peers: Sequence[str]) -> list[str]:
    own = running.eventflow.bytes_per_event()
    cells = [f"{own:,.0f}"]
    for name in peers:
        theirs = getattr(running, name).bytes_per_event()
        cells += [f"{theirs:,.0f}", f"{own / theirs:.2f}"]
    return cells


if __name__ == "__main__":
    main()
