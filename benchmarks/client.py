"""The Python client beside the server on one machine: what its producer sends and its consumer takes in a second.

`PYTHONPATH=clients/python/src python -m benchmarks.client`; SECONDS=10 for longer. It has a server of its own. One
process of the client's for each figure: what counts for a user is what one program does.
"""

import os
import time
from collections.abc import Callable
from typing import Any

from eventflow_client import EventFlow, ProducerSettings
from rich.console import Console
from rich.table import Table

from benchmarks.api import sign_in
from benchmarks.events import make_event
from benchmarks.instance import Instance

SECONDS = float(os.environ.get("SECONDS", "6"))
EVENTS: list[dict[str, Any]] = [make_event(number) for number in range(5000)]
console = Console()
Measured = tuple[float, float, float]


def measure(instance: Instance, work: Callable[[float], int]) -> Measured:
    """Return events a second, and the share of a processor that the client and the server had."""
    server, client, begun = instance.cpu_seconds(), time.process_time(), time.perf_counter()
    count = work(begun + SECONDS)
    seconds = time.perf_counter() - begun
    return count / seconds, (time.process_time() - client) / seconds, (instance.cpu_seconds() - server) / seconds


def produce(client: EventFlow, stream: str, settings: ProducerSettings) -> Callable[[float], int]:
    def work(until: float) -> int:
        count = 0
        with client.producer(settings) as producer:
            while time.perf_counter() < until:
                for event in EVENTS:
                    producer.enqueue(stream, event["payload"], type=event["type"], key=event["key"])
                count += len(EVENTS)
            producer.flush(60)
        return count

    return work


def main() -> None:
    table = Table(title="The Python client, with the server beside it")
    for heading in ("what", "events/s", "client CPU", "server CPU"):
        table.add_column(heading, justify="left" if heading == "what" else "right", no_wrap=True)
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        secret = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        with EventFlow(instance.url, key=secret) as client:

            def add(what: str, work: Callable[[float], int]) -> None:
                console.print(f"  {what} …")
                rate, own, server = measure(instance, work)
                table.add_row(what, f"{rate:,.0f}", f"{own:.2f}", f"{server:.2f}")

            for partitions, lanes in ((1, 1), (4, 1), (4, 3)):
                stream = f"sent-{partitions}-{lanes}"
                admin.call("POST", "/streams", {"name": stream, "partitions": partitions})
                what = f"producer, {partitions} partitions, {lanes} lanes"
                add(what, produce(client, stream, ProducerSettings(lanes=lanes)))
    table.caption = f"load of the machine: {os.getloadavg()[0]:.1f}"
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
