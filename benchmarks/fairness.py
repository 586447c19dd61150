"""A quiet key beside one that sends ten times what it may: `python -m benchmarks.fairness`.

The quiet one appends now and again, by turns alone, beside a neighbour that sends about what it may, and beside the same
neighbour sending ten times as much, nearly all of which is refused. What the neighbour may send shares the disk with
everybody; what counts is what its refusals add to that.
"""

import os
import threading
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

LIMIT_PER_SECOND = 200
SECONDS = 6
ROUNDS = 9
PAUSE_MS = 20
QUIET_CONNECTIONS = 4
# With the pause, each connection sends some thirty requests a second: both get all that they may have, and not less.
NEIGHBOURS = {"alone": 0, "at its limit": 8, "at ten times": 70}
# Until the neighbour has used up what it may have at once.
LEAD_SECONDS = 1.5
PROMISED = 1.2


def make_key(admin: Api, name: str) -> str:
    return str(admin.call("POST", "/api-keys", {"name": name, "scopes": ["produce", "consume"]})["secret"])


def _stored_per_second(load: wrk.Load) -> float:
    return load.requests_per_second - load.failures / (SECONDS + 2)


def main() -> None:
    wrk.require_wrk()
    # While the quiet one is alone the other's bucket fills, and what it may have at once is no refusal.
    os.environ |= {"EVENTFLOW_LIMIT_KEY_REQUESTS": str(LIMIT_PER_SECOND), "EVENTFLOW_LIMIT_BURST_SECONDS": "1"}
    bodies = [make_body(1, number)[1:-1] for number in range(100)]
    quiet_loads: dict[str, list[wrk.Load]] = {name: [] for name in NEIGHBOURS}
    greedy_loads: dict[str, list[wrk.Load]] = {name: [] for name in NEIGHBOURS}
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        admin.call("POST", "/streams", {"name": "orders"})
        quiet, greedy = make_key(admin, "quiet"), make_key(admin, "greedy")

        def load(key: str, connections: int, seconds: int = SECONDS) -> wrk.Load:
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            url = f"{instance.api}/streams/orders/events"
            return wrk.post(url, bodies, connections=connections, seconds=seconds, headers=headers, pause_ms=PAUSE_MS)

        def be_greedy(name: str, connections: int) -> None:
            greedy_loads[name].append(load(greedy, connections, SECONDS + 2))

        load(quiet, QUIET_CONNECTIONS)
        for _ in range(ROUNDS):
            for name, connections in NEIGHBOURS.items():
                neighbour = threading.Thread(target=be_greedy, args=(name, connections))
                if connections:
                    neighbour.start()
                    time.sleep(LEAD_SECONDS)
                quiet_loads[name].append(load(quiet, QUIET_CONNECTIONS))
                if connections:
                    neighbour.join()
    table = Table("neighbour", "sends/s", "stored/s", "p50 ms", "p99 ms", "p99, ratio", title="A quiet key's appends")
    base = median(load.p99 for load in quiet_loads["at its limit"])
    for name, loads in quiet_loads.items():
        sent = median(load.requests_per_second for load in greedy_loads[name]) if greedy_loads[name] else 0.0
        stored = median(_stored_per_second(load) for load in greedy_loads[name]) if greedy_loads[name] else 0.0
        p99 = median(load.p99 for load in loads)
        ratio = f"{p99 / base:.2f}{' !' if p99 > PROMISED * base else ''}"
        table.add_row(
            name, f"{sent:,.0f}", f"{stored:,.0f}", f"{median(load.p50 for load in loads):.2f}", f"{p99:.2f}", ratio
        )
    console = Console(width=110)
    console.print(table)
    failures = sum(load.failures for loads in quiet_loads.values() for load in loads)
    console.print(f"Of the quiet one's requests {failures} failed.")


if __name__ == "__main__":
    main()
