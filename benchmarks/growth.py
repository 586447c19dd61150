"""Whether anything gets slower as a stream grows: `python -m benchmarks.growth`.

The same questions of one server to three streams, and the same pages: one of ten thousand events, one of a million, and
one of EVENTS (ten million unless it says otherwise). The big ones are filled with synthetic batches below the API. By
turns, in one run; what counts is the ratio of each to the smallest.
"""

import os
import statistics
import time
from collections.abc import Callable
from functools import partial

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from benchmarks import leases, raw
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

SIZES = (10_000, 1_000_000, int(os.environ.get("EVENTS", "10_000_000")))
APPENDED = 1_000
ROUNDS = 60
# So many events at least are counted in a second, whatever else the machine does.
COUNTED_PER_SECOND = 50_000
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
       now() - make_interval(secs => (%(batches)s::bigint - number) * 0.01), %(codec)s, %(records)s
  FROM lane, generate_series(1, %(batches)s::bigint) AS number
"""

# A row of it, which the others are like.
_ROW = """
SELECT batch.records, batch.codec, batch.event_count, partition.appended_bytes * batch.event_count / partition.head_offset
  FROM streams_eventbatch AS batch JOIN streams_partition AS partition ON partition.id = batch.partition_id
 WHERE partition.id = %s
 ORDER BY batch.last_offset
 LIMIT 1
"""


def fill(api: Api, database_url: str, stream: str, events: int) -> None:
    """Append some events, and a row of theirs again and again below the API."""
    api.call("POST", f"/streams/{stream}/events", make_body(APPENDED))
    (partition,) = raw.partition_ids(database_url, stream)
    with psycopg.connect(database_url, autocommit=True) as connection:
        [(records, codec, count, appended)] = connection.execute(_ROW, [partition]).fetchall()
        left = (events - APPENDED) // count
        while left:
            batches = min(left, 10_000)
            connection.execute(
                _FILL,
                {
                    "partition": partition,
                    "batches": batches,
                    "events": count,
                    "stored": len(records),
                    "appended": appended,
                    "records": records,
                    "codec": codec,
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


def pages_of(person: httpx.Client, stream: str, events: int, group: str) -> dict[str, Callable[[], object]]:
    """What a person looks at of a stream of so many events."""
    path = f"/streams/{stream}"
    pages = {
        "page: the stream": path,
        "page: the stream, 30 days": f"{path}?window=30d",
        "page: its newest events": f"{path}/events",
        "page: its events from the middle": f"{path}/events?from=offset&offset={events // 2}",
        "page: its events of a moment": f"{path}/events?from=time&time=2020-01-01T00:00",
        "page: one event": f"{path}/events/0/{events // 2}",
        "page: its groups": f"{path}/consumer-groups",
        "page: one group": group,
    }
    return {what: partial(_look, person, address) for what, address in pages.items()}


def _look(person: httpx.Client, address: str) -> None:
    person.get(address).raise_for_status()


def sign_in_person(instance: Instance) -> httpx.Client:
    """Return a browser's client, signed in as the first admin."""
    person = httpx.Client(base_url=instance.url, timeout=60.0)
    person.get("/sign-in").raise_for_status()
    form = {
        "email": "admin@eventflow.local",
        "password": instance.password,
        "csrfmiddlewaretoken": person.cookies["csrftoken"],
    }
    if person.post("/sign-in", data=form).status_code != httpx.codes.FOUND:
        raise SystemExit("Nobody could sign in.")
    return person


def main() -> None:
    names = [f"of-{size}" for size in SIZES]
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        # As programs ask: what a person's token costs on top would hide what grows.
        program = Api(instance.port, {"X-API-Key": key})
        person = sign_in_person(instance)
        asked = []
        for name, size in zip(names, SIZES, strict=True):
            console.print(f"  {size:,} events …")
            admin.call("POST", "/streams", {"name": name})
            group = leases.make_group(admin, name)
            fill(program, instance.database_url, name, size)
            asked.append(questions_of(program, name, size, group) | pages_of(person, name, size, group))
        console.print("  until the roll-ups have caught up …")
        raw.wait_until_counted(instance.database_url, seconds=180 + sum(SIZES) / COUNTED_PER_SECOND)
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
