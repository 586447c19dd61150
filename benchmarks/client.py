"""The Python client beside the server on one machine: what its producer sends and its consumer takes in a second.

`PYTHONPATH=clients/python/src python -m benchmarks.client [producer] [consumer]`; SECONDS=10 for longer. It has a server of its own.
One process of the client's for each figure: what counts for a user is what one program does. On a machine that is busy
otherwise the rates say little; what an event costs of the processor says more, and what two idle processors could make of it.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from eventflow_client import ConsumerSettings, Event, EventFlow, ProducerSettings
from rich.console import Console
from rich.table import Table

from benchmarks.api import sign_in
from benchmarks.events import make_body, make_event
from benchmarks.instance import Instance

SECONDS = float(os.environ.get("SECONDS", "6"))
TO_TAKE = int(SECONDS * 100_000)
EVENTS: list[dict[str, Any]] = [make_event(number) for number in range(5000)]
console = Console()
Measured = tuple[float, float, float]


def measure(instance: Instance, work: Callable[[float], int]) -> Measured:
    """Return events a second, and the processor time of the client and of the server for each, in microseconds."""
    server, client, begun = instance.cpu_seconds(), time.process_time(), time.perf_counter()
    count = work(begun + SECONDS)
    seconds = time.perf_counter() - begun
    own, theirs = time.process_time() - client, instance.cpu_seconds() - server
    return count / seconds, 1e6 * own / max(1, count), 1e6 * theirs / max(1, count)


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


def consume(client: EventFlow, stream: str, mode: str, *, batches: bool, concurrency: int) -> Callable[[float], int]:
    name = f"{mode}-{batches}-{concurrency}".lower()
    client.groups.create(stream, name, mode=mode, max_in_flight=1_000_000)

    def work(until: float) -> int:
        count = 0

        def stop_in_time() -> None:
            if time.perf_counter() > until:
                consumer.stop()

        def each(event: Event) -> None:
            nonlocal count
            count += bool(event.payload)
            stop_in_time()

        def batch(events: Sequence[Event]) -> None:
            nonlocal count
            count += sum(bool(event.payload) for event in events)
            stop_in_time()

        settings = ConsumerSettings(max_events=1000, concurrency=concurrency, wait_seconds=0.2)
        handlers = {"batch_handler": batch} if batches else {"handler": each}
        consumer = client.consumer(stream, name, settings=settings, **handlers)
        # It ends where the stream does, at the latest.
        timer = threading.Timer(SECONDS + 1, consumer.stop)
        timer.start()
        consumer.run()
        timer.cancel()
        return count

    return work


def main() -> None:
    table = Table(title="The Python client, with the server beside it")
    for heading in ("what", "events/s", "client µs/event", "server µs/event", "at best"):
        table.add_column(heading, justify="left" if heading == "what" else "right", no_wrap=True)
    with Instance() as instance:
        admin = sign_in(instance.port, instance.password)
        secret = admin.call("POST", "/api-keys", {"name": "bench", "scopes": ["produce", "consume"]})["secret"]
        with EventFlow(instance.url, key=secret) as client:

            def add(what: str, work: Callable[[float], int]) -> None:
                console.print(f"  {what} …")
                rate, own, server = measure(instance, work)
                # One process of Python's has one processor at a time.
                best = min(1e6 / own, 2e6 / (own + server))
                table.add_row(what, f"{rate:,.0f}", f"{own:.1f}", f"{server:.1f}", f"{best:,.0f}")

            wanted = set(sys.argv[1:]) or {"producer", "consumer"}
            # What the server's other processes have to do when they start is not the client's.
            time.sleep(8)
            for partitions, lanes in ((1, 1), (4, 1), (4, 3)) if "producer" in wanted else ():
                stream = f"sent-{partitions}-{lanes}"
                admin.call("POST", "/streams", {"name": stream, "partitions": partitions})
                what = f"producer, {partitions} partitions, {lanes} lanes"
                add(what, produce(client, stream, ProducerSettings(lanes=lanes)))
            admin.call("POST", "/streams", {"name": "taken", "partitions": 4})
            bodies = [make_body(1000, 1000 * number) for number in range(20)]
            for number in range(TO_TAKE // 1000 if "consumer" in wanted else 0):
                admin.call("POST", "/streams/taken/events", bodies[number % len(bodies)])
            for mode in ("offset", "lease") if "consumer" in wanted else ():
                for batches, concurrency in ((True, 1), (True, 2), (False, 1)):
                    what = f"{mode}-mode consumer, {'batches' if batches else 'one by one'}, {concurrency} at a time"
                    add(what, consume(client, "taken", mode, batches=batches, concurrency=concurrency))
    table.caption = f"load of the machine: {os.getloadavg()[0]:.1f}"
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
