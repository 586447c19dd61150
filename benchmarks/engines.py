"""The log's engines by turns, in one process and without HTTP: `python -m benchmarks.engines`, with servers of its own.

PostgreSQL and a Kafka cluster (KAFKA_NODES: 1, or 3 with two of them to store each event) take the same loads one after
the other, for BENCH_ROUNDS rounds of BENCH_SECONDS each. All share this machine, so the figures say how they compare, and
promise nothing. Needs Java and Maven for the cluster.
"""

import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.events import make_event
from benchmarks.kafka.places import place_at
from benchmarks.own_database import own_database
from tests.kafka.cluster import KafkaCluster

if TYPE_CHECKING:
    from streams.log.protocol import Log, PartitionRef

NODES = int(os.environ.get("KAFKA_NODES", "1"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "1.0"))
# Long enough a history that it does not fit into what a consumer has fetched ahead.
HISTORY = 100_000
MIB = 1024 * 1024
console = Console(width=140)

Work = Callable[[int], int]


@dataclass
class Contender:
    """An engine: with a memory of what was read, without one, and how its partitions are made."""

    name: str
    log: "Log"
    cold: "Log"
    make: "Callable[[int], list[PartitionRef]]"


@dataclass
class Outcome:
    rate: float
    p50_ms: float
    p99_ms: float


def measure(threads: int, work: Work, seconds: float) -> Outcome:
    """Let threads do `work`, which returns how much it was, until the time is over."""
    from django.db import connection

    done = [0] * threads
    latencies: list[list[float]] = [[] for _ in range(threads)]

    def loop(index: int) -> None:
        while (began := time.perf_counter()) < deadline:
            done[index] += work(index)
            latencies[index].append(time.perf_counter() - began)
        # The next threads want one as well.
        connection.close()

    started = time.perf_counter()
    deadline = started + seconds
    workers = [threading.Thread(target=loop, args=(index,)) for index in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    spent = time.perf_counter() - started
    times = sorted(value * 1_000 for row in latencies for value in row)
    return Outcome(sum(done) / spent, times[len(times) // 2], times[int(len(times) * 0.99)])


def loads_of(
    one: Contender, record: Callable[[int], bytes], *, seconds: float = SECONDS, history: int = HISTORY
) -> dict[str, Callable[[], Outcome]]:
    """Return what is measured, by its name."""
    from streams.log.protocol import PartitionAppend

    def appends(size: int, threads: int, partitions: int) -> Callable[[], Outcome]:
        places = one.make(partitions)
        records = [record(number) for number in range(size)]

        def append(index: int) -> int:
            one.log.append([PartitionAppend(places[index % partitions], records)])
            return size

        return lambda: measure(threads, append, seconds)

    [old] = one.make(1)
    for start in range(0, history, 500):
        one.log.append([PartitionAppend(old, [record(number) for number in range(start, start + 500)])])

    def replays(log: "Log", threads: int) -> Callable[[], Outcome]:
        positions = [index * history // threads for index in range(threads)]

        def read(index: int) -> int:
            result = log.read(old, after=positions[index], max_events=1_000, max_bytes=8 * MIB)
            positions[index] = result.next_offset if result.events else 0
            return len(result.events)

        return lambda: measure(threads, read, seconds)

    def looks_at_the_head(index: int) -> int:
        assert not one.log.read(old, after=history, max_events=100, max_bytes=MIB).events
        return 1

    sixteen = one.make(16)

    def asks_for_bounds(index: int) -> int:
        assert len(one.log.bounds(sixteen)) == 16
        return 1

    return {
        "append 1, 64 threads, 1 partition": appends(1, 64, 1),
        "append 1, 64 threads, 16 partitions": appends(1, 64, 16),
        "append 1, alone": appends(1, 1, 1),
        "append 500, 4 threads, 1 partition": appends(500, 4, 1),
        "append 500, 4 threads, 4 partitions": appends(500, 4, 4),
        "read 1,000 in sequence, remembered": replays(one.log, 1),
        "read 1,000 in sequence, nothing remembered": replays(one.cold, 1),
        "the same, 4 threads": replays(one.cold, 4),
        "read at the head (nothing there), 4 threads": lambda: measure(4, looks_at_the_head, seconds),
        "ends of 16 partitions, 4 threads": lambda: measure(4, asks_for_bounds, seconds),
    }


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="eventflow-bench-") as home, own_database():
        cluster = KafkaCluster(Path(home) / "kafka", count=NODES, is_for_speed=True)
        try:
            cluster.start()
            _compare(cluster)
        finally:
            cluster.stop()


def make_record(number: int) -> bytes:
    """Return an event as the log stores it."""
    return b'{"id":"018f3c1e-7a00-7000-8000-%012d",' % number + orjson.dumps(make_event(number))[1:]


def _compare(cluster: KafkaCluster) -> None:
    place = place_at(cluster.addresses, NODES)
    contenders = [make_postgres(), make_kafka(place.name, place.options)]
    loads = {each.name: loads_of(each, make_record) for each in contenders}
    table = Table("", *(f"{each.name}: per second, p50/p99 ms" for each in contenders), "ratio")
    for name in loads[contenders[0].name]:
        rounds: dict[str, list[Outcome]] = {each.name: [] for each in contenders}
        for _ in range(ROUNDS):
            for each in contenders:
                rounds[each.name].append(loads[each.name][name]())
        medians = [_median(rounds[each.name]) for each in contenders]
        cells = [f"{each.rate:,.0f} · {each.p50_ms:.1f}/{each.p99_ms:.0f}" for each in medians]
        table.add_row(name, *cells, f"{medians[1].rate / medians[0].rate:.2f}")
    console.print(table)
    for each in contenders:
        each.cold.close()
        each.log.close()


def _median(outcomes: Sequence[Outcome]) -> Outcome:
    return Outcome(
        *(statistics.median(getattr(each, name) for each in outcomes) for name in ("rate", "p50_ms", "p99_ms"))
    )


def make_postgres() -> Contender:
    """Return the log in PostgreSQL; Django is set up on a database of the benchmark's own."""
    from accounts.models import User
    from streams.log.postgres import PostgresLog
    from streams.log.protocol import PartitionRef
    from streams.log.wakeup import get_wakeups
    from streams.models import Partition, Stream

    user = User.objects.create(email="bench@localhost.invalid")

    def make(count: int) -> list[PartitionRef]:
        stream = Stream.objects.create(name=f"bench-{time.time_ns()}", owner=user, partition_count=count)
        rows = Partition.objects.bulk_create(Partition(stream=stream, number=number) for number in range(count))
        return [PartitionRef(row.pk, stream.name, row.number) for row in rows]

    wakeups = get_wakeups()
    return Contender("PostgreSQL", PostgresLog(wakeups=wakeups), PostgresLog(wakeups=wakeups, cache_bytes=0), make)


def make_kafka(name: str, options: dict[str, Any], *, readers: int = 6) -> Contender:
    """Return the log in a Kafka cluster."""
    from streams.log.kafka.configuration import KafkaOptions
    from streams.log.kafka.engine import KafkaLog
    from tests.kafka.engines import make_partitions

    log = KafkaLog("kafka", KafkaOptions(**options))
    cold = KafkaLog("kafka", KafkaOptions(**options, readers=readers, cache_bytes=0))
    return Contender(name, log, cold, lambda count: make_partitions(log, count))


if __name__ == "__main__":
    main()
