"""What merging makes of single appends: `python -m benchmarks.merging`, with a PostgreSQL of its own.

A stream of EVENTS single appends (20,000 unless it says otherwise), before and after, and beside it one of batches of
500. Reads are the log's own, in one process, and nothing is remembered between them.
"""

import os
import statistics
import time
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from benchmarks.own_database import own_database

EVENTS = int(os.environ.get("EVENTS", "20000"))
SECONDS = 3.0
console = Console(width=120)


def main() -> None:
    with own_database():
        _measure()


def _measure() -> None:
    import orjson
    from django.db import connection
    from django.utils import timezone

    from accounts.models import User
    from benchmarks.events import make_event
    from streams.log import close_log, get_log
    from streams.log.postgres import PostgresLog
    from streams.log.protocol import MergeLimits, PartitionAppend, PartitionRef
    from streams.log.wakeup import get_wakeups
    from streams.models import Partition, Stream

    log = get_log()
    cold = PostgresLog(wakeups=get_wakeups(), cache_bytes=0)
    user = User.objects.create(email="bench@localhost.invalid")
    records = [
        b'{"id":"018f3c1e-7a00-7000-8000-%012d",' % number + orjson.dumps(make_event(number))[1:]
        for number in range(EVENTS)
    ]
    table = Table(
        "", "rows", "stored, bytes/event", "on disk, bytes/event", "read 1,000: events/s", "read 100: events/s"
    )

    def make_stream(name: str) -> PartitionRef:
        stream = Stream.objects.create(name=name, owner=user)
        return PartitionRef(Partition.objects.create(stream=stream, number=0).pk, name, 0)

    def size_on_disk() -> int:
        with connection.cursor() as cursor:
            # Without what is dead: a server comes by it with time.
            cursor.execute("VACUUM FULL ANALYZE streams_eventbatch")
            cursor.execute("SELECT pg_total_relation_size('streams_eventbatch')")
            return int(cursor.fetchone()[0])

    def read_per_second(partition: PartitionRef, step: int) -> float:
        position = events = 0
        started = time.perf_counter()
        while (took := time.perf_counter() - started) < SECONDS:
            found = cold.read(partition, after=position, max_events=step, max_bytes=8 << 20)
            events += len(found.events)
            position = found.next_offset if found.events else 0
        return events / took

    def add_row(name: str, partition: PartitionRef, disk_bytes: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM streams_eventbatch WHERE partition_id = %s", [partition.id])
            rows = cursor.fetchone()[0]
        stored = Partition.objects.get(pk=partition.id).stored_bytes
        rates = [f"{read_per_second(partition, step):,.0f}" for step in (1_000, 100)]
        table.add_row(name, f"{rows:,}", f"{stored / EVENTS:.0f}", f"{disk_bytes / EVENTS:.0f}", *rates)

    singles = make_stream("singles")
    console.print(f"{EVENTS:,} single appends …")
    for record in records:
        log.append([PartitionAppend(singles, [record])])
    before = size_on_disk()
    add_row("appended one by one", singles, before)

    limits = MergeLimits(timezone.now() + timedelta(seconds=1))
    steps, batches = [], 0
    is_done = False
    while not is_done:
        started = time.perf_counter()
        merged = log.merge(singles, limits)
        steps.append((time.perf_counter() - started) / max(1, merged.batches))
        batches += merged.batches + merged.batches_gone
        is_done = merged.is_done
    after = size_on_disk()
    add_row("the same, merged", singles, after)

    bulk = make_stream("batches")
    for start in range(0, EVENTS, 500):
        log.append([PartitionAppend(bulk, records[start : start + 500])])
    add_row("appended in batches of 500", bulk, size_on_disk() - after)
    table.title = f"{EVENTS:,} events of {sum(map(len, records)) / EVENTS:.0f} bytes of JSON"
    console.print(table)
    console.print(
        f"Merging: {batches / sum(steps[:-1] or steps):,.0f} rows/s; of one full row {1000 * statistics.median(steps):.0f} ms"
    )
    close_log()


if __name__ == "__main__":
    main()
