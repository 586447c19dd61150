"""What is asked of the log in a process of its own; to be imported once Django is set up (`own_database`)."""

import time

import orjson
from django.db import connection

from accounts.models import User
from benchmarks.events import make_event
from streams.log.postgres import PostgresLog
from streams.log.protocol import PartitionRef
from streams.log.statements import statements
from streams.log.wakeup import get_wakeups
from streams.models import Partition, Stream


def make_records(count: int) -> list[bytes]:
    """Return records like real ones, of about 330 bytes."""
    return [
        b'{"id":"018f3c1e-7a00-7000-8000-%012d",' % number + orjson.dumps(make_event(number))[1:]
        for number in range(count)
    ]


def make_partition(name: str) -> PartitionRef:
    """Make a stream of one partition."""
    user, _ = User.objects.get_or_create(email="bench@localhost.invalid")
    stream = Stream.objects.create(name=name, owner=user)
    return PartitionRef(Partition.objects.create(stream=stream, number=0).pk, name, 0)


def fill_with_small_rows(partition: PartitionRef, rows: int) -> None:
    """Store so many rows of one tiny event each, below the log: its own appends would take minutes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)"
            " SELECT %s, number, 1, now(), 0, '{\"id\":1}' FROM generate_series(1, %s) AS number",
            [partition.id, rows],
        )
        cursor.execute("VACUUM ANALYZE streams_eventbatch")
    Partition.objects.filter(pk=partition.id).update(head_offset=rows, stored_bytes=8 * rows, merged_to=rows)


def replayed_per_second(partition: PartitionRef, *, seconds: float) -> float:
    """Read what is kept, a thousand events at a time, again and again, remembering nothing; return events a second."""
    log = PostgresLog(wakeups=get_wakeups(), cache_bytes=0)
    position = events = 0
    started = time.perf_counter()
    while (took := time.perf_counter() - started) < seconds:
        found = log.read(partition, after=position, max_events=1_000, max_bytes=8 << 20)
        events += len(found.events)
        position = found.next_offset if found.next_offset < found.bounds.head_offset else 0
    return events / took


def pages_of_oldest(partition: PartitionRef) -> int:
    """Return how many of PostgreSQL's pages it takes to read the oldest event, as a reader from the beginning does.

    Unlike a time it is the same on a busy machine.
    """
    statement = statements.texts["read"].decode()
    for name, value in {"partition_id": partition.id, "after": 0, "max_batches": 1, "max_bytes": 1}.items():
        statement = statement.replace(f"%({name})b", str(value))
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}")
        plan = cursor.fetchone()[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def sizes() -> tuple[int, int, int, int]:
    """Return the bytes on disk of the table of batches: all of it, its rows, its index, and the records beside them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_total_relation_size(oid), pg_relation_size(oid), pg_indexes_size(oid),"
            " pg_total_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'streams_eventbatch'::regclass"
        )
        total, rows, index, records = cursor.fetchone()
        return total, rows, index, records
