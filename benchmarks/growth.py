"""Whether anything gets slower as a stream grows: `python -m benchmarks.growth`.

The same questions of one server to three streams: one of ten thousand events, one of a million, and one of EVENTS (ten
million unless it says otherwise). The big ones are filled with synthetic batches below the API. By turns, in one run;
what counts is the ratio of each to the smallest.
"""

import os
import statistics
import time
from collections.abc import Callable

import psycopg
import zstandard
from rich.console import Console
from rich.table import Table

from benchmarks import leases, raw
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

SIZES = (10_000, 1_000_000, int(os.environ.get("EVENTS", "10_000_000")))
FILLED_AT_ONCE = 1_000
ROUNDS = 60
PROMISED = 1.3
console = Console(width=120)

# What an append does to a partition, as often as is wanted, in one statement: the log's own would take hours.
_FILL = """
WITH lane AS (
    UPDATE streams_partition
       SET head_offset = head_offset + %(batches)s::bigint * %(events)s::bigint, stored_bytes = stored_bytes + %(batches)s::bigint * %(stored)s::bigint,
           appended_bytes = appended_bytes + %(batches)s::bigint * %(appended)s::bigint, last_recorded_at = now()
     WHERE id = %(partition)s
    RETURNING id, head_offset - %(batches)s::bigint * %(events)s::bigint AS before
)
INSERT INTO streams_eventbatch (partition_id, last_offset, event_count, recorded_at, codec, records)
SELECT lane.id, lane.before + number * %(events)s::bigint, %(events)s::int,
       now() - make_interval(secs => (%(batches)s::bigint - number) * 0.01), 1, %(records)s
  FROM lane, generate_series(1, %(batches)s::bigint) AS number
"""


def fill(database_url: str, stream: str, events: int) -> None:
    """Append batches of a thousand events, below the API."""
    body = make_body(FILLED_AT_ONCE)
    lines = body[1:-1].replace(b'},{"type"', b'}\n{"type"')
    lines = b"\n".join(
        b'{"id":"018f3c1e-7a00-7000-8000-%012d",' % n + line[1:] for n, line in enumerate(lines.split(b"\n"))
    )
    records = zstandard.ZstdCompressor(level=1).compress(lines)
    (partition,) = raw.partition_ids(database_url, stream)
    with psycopg.connect(database_url, autocommit=True) as connection:
        left = events // FILLED_AT_ONCE
        while left:
            batches = min(left, 10_000)
            connection.execute(
                _FILL,
                {
                    "partition": partition,
                    "batches": batches,
                    "events": FILLED_AT_ONCE,
                    "stored": len(records),
                    "appended": len(lines),
                    "records": records,
                },
            )
            left -= batches
        connection.execute("ANALYZE streams_eventbatch")


def questions_of(api: Api, stream: str, events: int, group: str) -> dict[str, Callable[[], object]]:
    """What is asked of a stream of so many events."""
    path = f"/streams/{stream}"
    single = make_body(1)[1:-1]

    def lease_and_ack() -> None:
        leased = api.call("POST", f"{group}/lease", {"max_events": 1})["deliveries"]
        held = [{"delivery_id": each["delivery_id"], "lease_token": each["lease_token"]} for each in leased]
        api.call("POST", f"{group}/ack", {"deliveries": held})

    return {
        "append of one event": lambda: api.call("POST", f"{path}/events", single),
        "poll of 100 from the beginning": lambda: api.call("GET", f"{path}/events?last_offset=0&limit=100"),
        "poll of 100 from the middle": lambda: api.call("GET", f"{path}/events?last_offset={events // 2}&limit=100"),
        "one event of the middle": lambda: api.call("GET", f"{path}/events/0/{events // 2}"),
        "lease + ack of one event": lease_and_ack,
        "stats": lambda: api.call("GET", f"{path}/stats"),
        "the stream": lambda: api.call("GET", path),
        "its groups": lambda: api.call("GET", f"{path}/consumer-groups"),
    }


def main() -> None:
    names = [f"of-{size}" for size in SIZES]
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        # As programs ask: what a person's token costs on top would hide what grows.
        program = Api(instance.port, {"X-API-Key": key})
        asked = []
        for name, size in zip(names, SIZES, strict=True):
            console.print(f"  {size:,} events …")
            admin.call("POST", "/streams", {"name": name})
            group = leases.make_group(admin, name)
            fill(instance.database_url, name, size)
            asked.append(questions_of(program, name, size, group))
        console.print("  until the roll-ups have caught up …")
        raw.wait_until_counted(instance.database_url)
        table = Table("median ms", *(f"{size:,}" for size in SIZES), "ratio", title="As a stream grows")
        for what in asked[0]:
            medians = _by_turns([questions[what] for questions in asked])
            worst = max(medians) / medians[0]
            ratio = f"{worst:.2f}{' !' if worst > PROMISED else ''}"
            table.add_row(what, *(f"{1000 * each:.2f}" for each in medians), ratio)
    console.print(table)


def _by_turns(questions: list[Callable[[], object]]) -> list[float]:
    took: list[list[float]] = [[] for _ in questions]
    for _ in range(ROUNDS):
        for question, own in zip(questions, took, strict=True):
            started = time.perf_counter()
            question()
            own.append(time.perf_counter() - started)
    return [statistics.median(own) for own in took]


if __name__ == "__main__":
    main()
