"""A quiet key beside one that sends ten times what it may: `python -m benchmarks.fairness`.

The quiet one appends now and again, by turns alone and beside the greedy one, whose limit is set so that nearly all it
sends is refused. What counts is the ratio of the quiet one's latencies.
"""

import os
import statistics
import threading

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

LIMIT_PER_SECOND = 200
TIMES = 10
SECONDS = 8
ROUNDS = 5
QUIET_CONNECTIONS, QUIET_PAUSE_MS = 4, 25
GREEDY_CONNECTIONS, GREEDY_PAUSE_MS = 40, 20
PROMISED = 1.2


def make_key(admin: Api, name: str) -> str:
    return str(admin.call("POST", "/api-keys", {"name": name, "scopes": ["produce", "consume"]})["secret"])


def main() -> None:
    wrk.require_wrk()
    os.environ["EVENTFLOW_LIMIT_KEY_REQUESTS"] = str(LIMIT_PER_SECOND)
    bodies = [make_body(1, number)[1:-1] for number in range(100)]
    table = Table("", "alone", "beside", "ratio", title="A quiet key's appends, ms")
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        admin.call("POST", "/streams", {"name": "orders"})
        quiet, greedy = make_key(admin, "quiet"), make_key(admin, "greedy")
        url = f"{instance.api}/streams/orders/events"

        def load(key: str, connections: int, pause_ms: int, seconds: int = SECONDS) -> wrk.Load:
            headers = {"X-API-Key": key, "Content-Type": "application/json"}
            return wrk.post(url, bodies, connections=connections, seconds=seconds, headers=headers, pause_ms=pause_ms)

        def greed() -> None:
            refused.append(load(greedy, GREEDY_CONNECTIONS, GREEDY_PAUSE_MS, SECONDS + 2))

        refused: list[wrk.Load] = []
        alone, beside = [], []
        load(quiet, QUIET_CONNECTIONS, QUIET_PAUSE_MS)
        for _ in range(ROUNDS):
            alone.append(load(quiet, QUIET_CONNECTIONS, QUIET_PAUSE_MS))
            other = threading.Thread(target=greed)
            other.start()
            beside.append(load(quiet, QUIET_CONNECTIONS, QUIET_PAUSE_MS))
            other.join()
    for name, of in (("p50", lambda found: found.p50), ("p99", lambda found: found.p99)):
        without, with_it = statistics.median(map(of, alone)), statistics.median(map(of, beside))
        mark = "" if with_it <= PROMISED * without else " !"
        table.add_row(name, f"{without:.2f}", f"{with_it:.2f}", f"{with_it / without:.2f}{mark}")
    console = Console(width=110)
    console.print(table)
    sent = statistics.median(found.requests_per_second for found in refused)
    share = sum(found.failures for found in refused) / (
        sum(found.requests_per_second for found in refused) * (SECONDS + 2)
    )
    console.print(f"The greedy one sent {sent:,.0f}/s at a limit of {LIMIT_PER_SECOND}/s; {share:.0%} were refused.")
    failures = sum(found.failures for found in (*alone, *beside))
    console.print(f"Of the quiet one's {failures} failed.")


if __name__ == "__main__":
    main()
