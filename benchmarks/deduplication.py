"""What it costs to store an id once: `python -m benchmarks.deduplication`.

To two streams by turns, one that remembers ids and one that does not: single events of many connections, and batches of
500; with the producer's own ids (UUIDs by chance, which lie anywhere in the index) and with the server's (which lie
beside each other). What is measured is the rate of the whole server beside its load generator, and the CPU time of all
its processes, PostgreSQL among them, which does not hang on the disk.
"""

import uuid
from statistics import median

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.api import sign_in
from benchmarks.events import make_event
from benchmarks.instance import Instance

ROUNDS = 5
SECONDS = 5
DAY = 86_400
PROMISED = 0.8
STREAMS = {"plain": None, "once": DAY}
# name: events of a request, connections, whether they bring ids
LOADS = {
    "single events, own ids, 64 connections": (1, 64, True),
    "single events, the server's ids, 64 connections": (1, 64, False),
    "batches of 500, own ids, 4 connections": (500, 4, True),
    "batches of 500, the server's ids, 4 connections": (500, 4, False),
}


def make_bodies(size: int, *, has_ids: bool) -> list[bytes]:
    bodies = []
    for _ in range(20):
        events = [make_event(number) for number in range(size)]
        if has_ids:
            events = [{"id": wrk.RANDOM_DIGITS + str(uuid.uuid4())[8:], **event} for event in events]
        bodies.append(orjson.dumps(events if size > 1 else events[0]))
    return bodies


def main() -> None:
    wrk.require_wrk()
    table = Table("load", "events/s", "remembering", "ratio", "CPU µs/event", "remembering", "ratio")
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        for name, window in STREAMS.items():
            admin.call("POST", "/streams", {"name": name, "deduplicate_ids": window})
        key = str(admin.call("POST", "/api-keys", {"name": "load", "scopes": ["produce", "consume"]})["secret"])
        headers = {"X-API-Key": key, "Content-Type": "application/json", "Prefer": "return=minimal"}
        for load, (size, connections, has_ids) in LOADS.items():
            bodies = make_bodies(size, has_ids=has_ids)
            rates: dict[str, list[float]] = {name: [] for name in STREAMS}
            costs: dict[str, list[float]] = {name: [] for name in STREAMS}
            for number in range(ROUNDS + 1):
                for name in sorted(STREAMS, reverse=bool(number % 2)):
                    url = f"{instance.api}/streams/{name}/events"
                    before = instance.cpu_seconds()
                    each = wrk.post(url, bodies, connections=connections, seconds=SECONDS, headers=headers)
                    spent = instance.cpu_seconds() - before
                    if each.failures:
                        raise SystemExit(f"{each.failures} appends to {name} were refused.")
                    # The first round warms up.
                    if number:
                        rates[name].append(each.requests_per_second * size)
                        costs[name].append(spent / (each.requests_per_second * size * SECONDS) * 1e6)
            plain, once = (median(rates[name]) for name in STREAMS)
            cost, cost_once = (median(costs[name]) for name in STREAMS)
            ratio = f"{once / plain:.2f}{' !' if once / plain < PROMISED else ''}"
            table.add_row(
                load,
                f"{plain:,.0f}",
                f"{once:,.0f}",
                ratio,
                f"{cost:.1f}",
                f"{cost_once:.1f}",
                f"{cost_once / cost:.2f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
