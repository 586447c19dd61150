"""The raw limit: the log's own append statement through psycopg, with no HTTP, no Python rules."""

import threading
import time

import psycopg
import zstandard

from benchmarks.events import make_event

STATEMENT_FILE = "streams/log/sql/append.sql"


def append_per_second(database_url: str, partition_ids: list[int], *, events: int, seconds: float) -> float:
    """Append batches of `events` events, one connection for each partition; return events per second."""
    import json
    from pathlib import Path

    statement = Path(STATEMENT_FILE).read_text()
    raw = b"\n".join(json.dumps(make_event(number)).encode() for number in range(events))
    packed = zstandard.ZstdCompressor(level=1).compress(raw)
    counts: list[int] = []
    deadline = time.perf_counter() + seconds

    def run(partition_id: int) -> None:
        done = 0
        parameters = {
            "partition_ids": [partition_id],
            "event_counts": [events],
            "stored_bytes": [len(packed)],
            "appended_bytes": [len(raw)],
            "placed_among": [256],
            "batch_partition_ids": [partition_id],
            "distances": [0],
            "batch_event_counts": [events],
            "codecs": [1],
            "records": [packed],
        }
        with psycopg.connect(database_url, autocommit=True, options="-c synchronous_commit=on") as connection:
            while time.perf_counter() < deadline:
                connection.execute(statement, parameters, prepare=True)
                done += events
        counts.append(done)

    threads = [threading.Thread(target=run, args=(each,)) for each in partition_ids]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts) / seconds


def partition_ids(database_url: str, stream: str) -> list[int]:
    """The ids of a stream's partitions."""
    query = (
        "SELECT p.id FROM streams_partition p JOIN streams_stream s ON s.id = p.stream_id WHERE s.name = %s ORDER BY 1"
    )
    with psycopg.connect(database_url) as connection:
        return [row[0] for row in connection.execute(query, [stream])]


def stored_bytes_per_event(database_url: str, stream: str) -> tuple[float, float]:
    """What an event of a stream takes: in its batches alone, and with rows, indexes and TOAST of the whole table."""
    with psycopg.connect(database_url) as connection:
        payload, events = connection.execute(
            "SELECT sum(octet_length(b.records)), sum(b.event_count) FROM streams_eventbatch b"
            " JOIN streams_partition p ON p.id = b.partition_id JOIN streams_stream s ON s.id = p.stream_id"
            " WHERE s.name = %s",
            [stream],
        ).fetchone() or (0, 1)
        total, everything = connection.execute(
            "SELECT pg_total_relation_size('streams_eventbatch'), sum(octet_length(records)) FROM streams_eventbatch"
        ).fetchone() or (0, 1)
    return float(payload) / float(events), float(payload) / float(events) * float(total) / float(everything)


def wait_until_counted(database_url: str, *, seconds: float = 180.0) -> None:
    """Wait until the roll-ups have caught up, so that a line does not pay for the events of the one before it."""
    query = (
        "SELECT 1 FROM streams_partition p LEFT JOIN observability_rollupcursor c ON c.partition_id = p.id"
        " WHERE p.head_offset > coalesce(c.rolled_up_offset, 0) LIMIT 1"
    )
    deadline = time.monotonic() + seconds
    with psycopg.connect(database_url, autocommit=True) as connection:
        while connection.execute(query).fetchone() is not None:
            if time.monotonic() > deadline:
                raise SystemExit("The roll-ups do not catch up.")
            time.sleep(0.5)
