"""The log alone, in one process, without HTTP: `python -m benchmarks.log_engine` with DATABASE_URL set.

It works in streams of its own, which it deletes at the end. Figures are only as durable as the server's
settings, which the heading names.
"""

import os
import statistics
import sys
import threading
import time
from collections.abc import Callable

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "eventflow_site.settings")
os.environ.setdefault("REDIS_URL", "redis://127.0.0.1:9/0")
os.environ.setdefault("SECRET_KEY", "for-benchmarks-only-" + "0" * 40)
os.environ.setdefault("JWT_SIGNING_KEY", "for-benchmarks-only-" + "1" * 40)
django.setup()

from django.db import connection  # noqa: E402

from accounts.models import User  # noqa: E402
from streams.errors import AppendNotStored  # noqa: E402
from streams.log import close_log, get_log  # noqa: E402
from streams.log.postgres import PostgresLog  # noqa: E402
from streams.log.protocol import PartitionAppend, PartitionRef, Receipt  # noqa: E402
from streams.log.wakeup import get_wakeups  # noqa: E402
from streams.models import Partition, Stream  # noqa: E402

SECONDS = 4.0


def event(number: int) -> bytes:
    """An event of about 300 bytes."""
    return (
        b'{"id":"018f3c1e-7a00-7000-8000-%012d","type":"order.created","key":"customer-%d","occurred_at":null,'
        b'"headers":{"trace":"%032x"},"payload":{"order_id":%d,"amount":%d.99,"currency":"EUR","status":"open",'
        b'"lines":[{"sku":"A-%d","quantity":2},{"sku":"B-%d","quantity":1}]}}'
        % (number, number % 1000, number * 7919, number, number % 500, number % 97, number % 89)
    )


def make_partitions(user: User, name: str, count: int) -> list[PartitionRef]:
    stream = Stream.objects.create(name=f"bench-{name}-{time.time_ns()}", owner=user, partition_count=count)
    rows = Partition.objects.bulk_create(Partition(stream=stream, number=number) for number in range(count))
    return [PartitionRef(row.pk, stream.name, row.number) for row in rows]


def run_threads(count: int, work: Callable[[int, list[float]], int]) -> tuple[float, list[float]]:
    """Run `work` in threads until the time is over; return events/s and each call's seconds."""
    done: list[int] = []
    refused: list[Exception] = []
    latencies: list[list[float]] = [[] for _ in range(count)]

    def loop(index: int) -> None:
        events = 0
        while time.perf_counter() < deadline:
            try:
                events += work(index, latencies[index])
            except AppendNotStored as error:
                refused.append(error)
        done.append(events)

    started = time.perf_counter()
    deadline = started + SECONDS
    threads = [threading.Thread(target=loop, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        print(f"{len(refused)} appends were refused: {refused[0]}")
    return sum(done) / (time.perf_counter() - started), sorted(value for row in latencies for value in row)


def report(name: str, rate: float, latencies: list[float]) -> None:
    p50, p99 = (latencies[int(len(latencies) * q)] * 1000 for q in (0.5, 0.99))
    times = f"p50 {p50:7.2f} ms   p99 {p99:7.2f} ms   max {latencies[-1] * 1000:5.0f} ms"
    print(f"{name:<62} {rate:>12,.0f} events/s   {times}", flush=True)


def bench_appends(user: User) -> None:
    log = get_log()
    for threads, size, partition_count, with_receipt in (
        (64, 1, 1, False),
        (64, 1, 16, False),
        (64, 1, 1, True),
        (1, 1, 1, False),
        (4, 500, 1, False),
        (4, 500, 4, False),
    ):
        partitions = make_partitions(user, "append", partition_count)
        records = [event(number) for number in range(size)]

        def work(
            index: int,
            latencies: list[float],
            partitions: list[PartitionRef] = partitions,
            records: list[bytes] = records,
            with_receipt: bool = with_receipt,
        ) -> int:
            receipt = None
            if with_receipt:
                key = f"{index}-{time.time_ns()}"
                receipt = Receipt("bench", key, b"x" * 32, lambda ranges: b"%d" % ranges[0].last_offset)
            started = time.perf_counter()
            log.append([PartitionAppend(partitions[index % len(partitions)], records)], receipt=receipt)
            latencies.append(time.perf_counter() - started)
            return len(records)

        rate, latencies = run_threads(threads, work)
        receipts = ", with receipts" if with_receipt else ""
        report(f"append {size} from {threads} threads to {partition_count} partitions{receipts}", rate, latencies)


def bench_reads(user: User) -> None:
    log = get_log()
    [partition] = make_partitions(user, "read", 1)
    for start in range(0, 400_000, 500):
        log.append([PartitionAppend(partition, [event(number) for number in range(start, start + 500)])])
    [singles] = make_partitions(user, "singles", 1)
    for number in range(5_000):
        log.append([PartitionAppend(singles, [event(number)])])
    with connection.cursor() as cursor:
        cursor.execute("SELECT stored_bytes / head_offset FROM streams_partition WHERE id = %s", [partition.id])
        print(f"stored: {cursor.fetchone()[0]} bytes per event of {len(event(1))} bytes, in batches of 500")

    def replay(engine: PostgresLog, ref: PartitionRef, step: int, name: str) -> None:
        latencies = []
        position = events = 0
        started = time.perf_counter()
        while time.perf_counter() - started < SECONDS:
            called = time.perf_counter()
            result = engine.read(ref, after=position, max_events=step, max_bytes=8 * 1024 * 1024)
            latencies.append(time.perf_counter() - called)
            events += len(result.events)
            position = result.next_offset if result.events else 0
        report(name, events / (time.perf_counter() - started), sorted(latencies))

    cold = PostgresLog(wakeups=get_wakeups(), cache_bytes=0)
    replay(cold, partition, 1_000, "read 1,000, nothing cached, batches of 500")
    replay(cold, partition, 100, "read 100, nothing cached, batches of 500")
    replay(cold, singles, 1_000, "read 1,000, nothing cached, batches of 1")
    warm = PostgresLog(wakeups=get_wakeups(), cache_bytes=1 << 30)
    replay(warm, singles, 1_000, "read 1,000, cached, batches of 1")
    head = log.bounds([partition])[partition.id].head_offset
    for start in range(0, head, 1_000):
        warm.read(partition, after=start, max_events=1_000, max_bytes=8 * 1024 * 1024)
    replay(warm, partition, 1_000, "read 1,000, cached, batches of 500")
    replay(warm, partition, 100, "read 100, cached, batches of 500")
    replay(warm, partition, 1, "read 1, cached, batches of 500")
    latencies = []
    for _ in range(3_000):
        called = time.perf_counter()
        warm.read(partition, after=head, max_events=100, max_bytes=1024 * 1024)
        latencies.append(time.perf_counter() - called)
    report("read at the head (reads/s)", len(latencies) / sum(latencies), sorted(latencies))


def bench_wakeups(user: User) -> None:
    log = get_log()
    [partition] = make_partitions(user, "wake", 1)
    delays: list[float] = []
    sent = [0.0]
    ready = threading.Event()

    def wait() -> None:
        for position in range(300):
            with get_wakeups().watch([partition.id]) as watch:
                watch.saw(partition.id, position)
                ready.set()
                watch.wait(5)
            delays.append(time.perf_counter() - sent[0])

    reader = threading.Thread(target=wait)
    reader.start()
    for number in range(300):
        ready.wait()
        ready.clear()
        time.sleep(0.004)
        sent[0] = time.perf_counter()
        log.append([PartitionAppend(partition, [event(number)])])
    reader.join()
    delays.sort()
    print(
        f"append called -> waiting reader awake: p50 {statistics.median(delays) * 1000:.2f} ms, "
        f"p99 {delays[int(len(delays) * 0.99)] * 1000:.2f} ms"
    )


def main() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version(), current_setting('fsync'), current_setting('synchronous_commit')")
        version, fsync, commit = cursor.fetchone()
    print(f"{version.split(' on ')[0]}, fsync {fsync}, synchronous_commit {commit}, {os.cpu_count()} cores")
    user, _ = User.objects.get_or_create(email="bench@localhost.invalid", defaults={"is_active": False})
    parts = {"append": bench_appends, "read": bench_reads, "wake": bench_wakeups}
    try:
        for name in sys.argv[1:] or parts:
            parts[name](user)
    finally:
        for stream in Stream.objects.filter(owner=user):
            get_log().drop([PartitionRef(p.pk, stream.name, p.number) for p in stream.partitions.all()])
            stream.delete()
        close_log()
        user.delete()


if __name__ == "__main__":
    main()
