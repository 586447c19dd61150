"""What it costs to hold events to a schema of ten fields: `python -m benchmarks.schemas`.

Batches of 500 events to three streams by turns: one that validates nothing, one whose events all fit, and one without a
schema for their types. What is measured is the rate of the whole server beside its load generator, and the CPU time of
the web processes, which does not hang on the disk.
"""

from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.api import Api, sign_in
from benchmarks.events import make_body
from benchmarks.instance import Instance

BATCH = 500
ROUNDS = 7
SECONDS = 5
CONNECTIONS = 4
PROMISED = 0.85
NAME = {"type": "string", "minLength": 1, "maxLength": 64}
# The fields of `benchmarks.events`: ten with those of the customer and the items.
ORDER = {
    "type": "object",
    "properties": {
        "order_id": {"type": "integer", "minimum": 1},
        "customer": {"type": "object", "properties": {"name": NAME, "city": NAME}, "required": ["name", "city"]},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "sku": NAME,
                    "quantity": {"type": "integer", "minimum": 1},
                    "price": {"type": "number", "minimum": 0},
                },
                "required": ["sku", "quantity", "price"],
            },
        },
        "total": {"type": "number", "minimum": 0},
        "currency": {"enum": ["EUR", "USD", "GBP"]},
        "placed_at": {"type": "string"},
    },
    "required": ["order_id", "customer", "items", "total", "currency"],
}
TYPES = ("order.created", "order.paid", "order.shipped")


def prepare(admin: Api) -> None:
    for name, validation in (("off", "off"), ("enforced", "enforce"), ("without", "enforce")):
        admin.call("POST", "/streams", {"name": name, "validation": validation})
    for type_ in TYPES:
        admin.call("POST", "/streams/enforced/schemas", {"type": type_, "schema": ORDER})


def main() -> None:
    wrk.require_wrk()
    bodies = [make_body(BATCH, number * BATCH) for number in range(20)]
    names = ["off", "enforced", "without"]
    rates: dict[str, list[float]] = {name: [] for name in names}
    costs: dict[str, list[float]] = {name: [] for name in names}
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        prepare(admin)
        scopes = ["produce", "consume"]
        key = str(admin.call("POST", "/api-keys", {"name": "load", "scopes": scopes})["secret"])
        headers = {"X-API-Key": key, "Content-Type": "application/json", "Prefer": "return=minimal"}

        def load(name: str, seconds: int = SECONDS) -> wrk.Load:
            url = f"{instance.api}/streams/{name}/events"
            return wrk.post(url, bodies, connections=CONNECTIONS, seconds=seconds, headers=headers)

        for name in names:
            load(name, seconds=1)
        for number in range(ROUNDS):
            # Each is first, and last, in its turn.
            for name in names[number % 3 :] + names[: number % 3]:
                before = instance.cpu_seconds(of="granian")
                each = load(name)
                spent = instance.cpu_seconds(of="granian") - before
                if each.failures:
                    raise SystemExit(f"{each.failures} appends to {name} were refused.")
                rates[name].append(each.requests_per_second * BATCH)
                costs[name].append(spent / (each.requests_per_second * BATCH * SECONDS) * 1e6)
    title = f"Batches of {BATCH} by {CONNECTIONS} connections"
    table = Table("stream", "events/s", "ratio", "CPU µs/event", "ratio", title=title)
    rate, cost = median(rates["off"]), median(costs["off"])
    for name in names:
        ratio = median(rates[name]) / rate
        table.add_row(
            name,
            f"{median(rates[name]):,.0f}",
            f"{ratio:.2f}{' !' if ratio < PROMISED else ''}",
            f"{median(costs[name]):.2f}",
            f"{median(costs[name]) / cost:.2f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
