"""What a million events for later cost those that are for now: `python -m benchmarks.scheduled` (EVENTS=… for fewer).

Groups on streams of their own lease and ack plain events by turns: one has nothing else, one has been given a
million events that are for later, each at another time, before them; a third has ten of these, as with any event that
waits the committed offset stays before it. Beside it, what it costs to look at them.
"""

import os
import time
from statistics import median

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.api import Api, sign_in
from benchmarks.events import make_body, make_event
from benchmarks.instance import Instance
from benchmarks.leases import Consumer, make_group, waiting_ratio

EVENTS = int(os.environ.get("EVENTS", "1_000_000"))
DAY = 86_400
ROUNDS = 200
PLAIN_EVENTS = 40_000
console = Console()


def append_for_later(admin: Api, stream: str, count: int) -> None:
    """Append events of which no two are due together, and behind them one for now."""
    events = [make_event(number) for number in range(min(count, 1000))]
    for first in range(0, count, 1000):
        for number, event in enumerate(events, first):
            event["deliver_after"] = DAY + number * 0.01
        admin.call("POST", f"/streams/{stream}/events", orjson.dumps(events))
    admin.call("POST", f"/streams/{stream}/events", orjson.dumps(make_event(count)))


def sort_all(consumer: Consumer) -> float:
    """Lease until the one for now is handed out, behind all others; return how many seconds that took."""
    started = time.perf_counter()
    while not consumer.lease_and_ack(1):
        pass
    return time.perf_counter() - started


def asked(admin: Api, path: str) -> float:
    """Return the median milliseconds of asking for something."""
    took = []
    for _ in range(21):
        started = time.perf_counter()
        admin.call("GET", path)
        took.append(time.perf_counter() - started)
    return 1000 * median(took)


def main() -> None:
    counts = {"without": 0, "few": 10, "many": EVENTS}
    table = Table("for later", "lease + ack of 100, ms", "stats, ms", "deliveries, ms", "sorted, events/s")
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        key = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        paths, rates = {}, {}
        for name, count in counts.items():
            admin.call("POST", "/streams", {"name": name})
            paths[name] = make_group(admin, name)
            append_for_later(admin, name, count)
            console.print(f"  sorting {count:,} …")
            rates[name] = count / sort_all(Consumer(instance.port, key, paths[name]))
            for number in range(PLAIN_EVENTS // 1000):
                admin.call("POST", f"/streams/{name}/events", make_body(1000, 1000 * number))
        medians = waiting_ratio(instance.port, key, *paths.values(), rounds=ROUNDS)
        for (name, count), seconds in zip(counts.items(), medians, strict=True):
            table.add_row(
                f"{count:,}",
                f"{1000 * seconds:.1f} ({seconds / medians[0]:.2f})",
                f"{asked(admin, f'/streams/{name}/stats'):.1f}",
                f"{asked(admin, f'{paths[name]}/deliveries?state=scheduled&limit=50'):.1f}",
                f"{rates[name]:,.0f}",
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
