"""After a consumer died with 500 events: how many answers, and how long, until all of them are done.

`python -m benchmarks.recovery` measures it on a server of its own, with and without new events beside them, for groups
that allow two failures and five.
"""

import time
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

HELD = 500
NEW_EVENTS = 60_000
ROUNDS = 3
# As many as one consumer asks for unless it says otherwise.
MAX_EVENTS = 100
console = Console()


class Recovery(NamedTuple):
    answers: int
    seconds: float
    new_events: int


def recover(api: Api, path: str) -> Recovery:
    """Lease and ack until what the dead consumer held is done; how many events were new meanwhile."""
    left, answers, new_events = HELD, 0, 0
    started = time.perf_counter()
    while left > 0:
        deliveries = api.call("POST", f"{path}/lease", {"max_events": MAX_EVENTS})["deliveries"]
        answers += 1
        for delivery in deliveries:
            count = len(delivery["events"])
            is_new = delivery["first_offset"] > HELD
            left -= 0 if is_new else count
            new_events += count if is_new else 0
        held = [{name: each[name] for name in ("delivery_id", "lease_token")} for each in deliveries]
        if held:
            api.call("POST", f"{path}/ack", {"deliveries": held})
    return Recovery(answers, time.perf_counter() - started, new_events)


def let_die(api: Api, path: str, name: str, max_failures: int) -> str:
    """Make a group whose only consumer has died; return its path."""
    settings = {"name": name, "mode": "lease", "max_failures": max_failures, "ack_wait": 1, "backoff": [0]}
    api.call("POST", path, settings)
    api.call("POST", f"{path}/{name}/lease", {"max_events": HELD})
    return f"{path}/{name}"


def measure(admin: Api, max_failures: int, *, with_new: bool) -> list[Recovery]:
    recoveries = []
    for number in range(ROUNDS):
        stream = f"r-{max_failures}-{'new' if with_new else 'alone'}-{number}"
        admin.call("POST", "/streams", {"name": stream})
        admin.call("POST", f"/streams/{stream}/events", make_body(HELD, 0))
        path = let_die(admin, f"/streams/{stream}/consumer-groups", "group", max_failures)
        for batch in range(NEW_EVENTS // 1000 if with_new else 0):
            admin.call("POST", f"/streams/{stream}/events", make_body(1000, 1000 * batch))
        # Until the ack wait is over, and the first look has taken back what expired.
        time.sleep(1.5)
        recoveries.append(recover(admin, path))
    return recoveries


def report(admin: Api) -> Table:
    table = Table(title=f"{HELD} events of a dead consumer")
    for heading in ("max_failures", "new events beside them", "answers", "seconds", "new events in that time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for max_failures in (2, 5):
        for with_new in (False, True):
            found = sorted(measure(admin, max_failures, with_new=with_new), key=lambda each: each.answers)
            answers, seconds, new_events = found[len(found) // 2]
            table.add_row(
                str(max_failures), "yes" if with_new else "no", f"{answers}", f"{seconds:.2f}", f"{new_events:,}"
            )
    return table


def main() -> None:
    with Instance() as instance:
        table = report(sign_in(instance.port, instance.password))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
