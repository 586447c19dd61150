"""How far the counters of partitions in Kafka, which PostgreSQL keeps, are behind what is there."""

import http.client
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from confluent_kafka import Producer

from benchmarks.api import Api
from benchmarks.kafka.loads import SINGLES, Server
from benchmarks.kafka.places import Place

PAUSE_SECONDS = 0.01
# Appends of somebody who sends now and then: in no step with what looks once a second.
APART_SECONDS = 0.37


@dataclass
class Sampled:
    """What was seen: when the head was known to be so far, and when the counter was."""

    heads: list[tuple[float, int]] = field(default_factory=list)
    counters: list[tuple[float, int]] = field(default_factory=list)

    def staleness_ms(self) -> list[float]:
        """For each look at the counter: for how long it had been overtaken."""
        found = []
        at = 0
        for moment, counter in self.counters:
            # Counters only rise, so the first head beyond it lies behind the one before.
            while at < len(self.heads) and self.heads[at][1] <= counter:
                at += 1
            overtaken = self.heads[at][0] if at < len(self.heads) else moment
            found.append(1000 * max(0.0, moment - overtaken))
        return found


def staleness(server: Server, place: Place, *, seconds: float) -> dict[str, tuple[float, float]]:
    """Return the median and the most milliseconds, by who appends."""
    stream = place.stream("counted")
    writer = Api(server.instance.port, {"X-API-Key": server.key})

    def now_and_then() -> None:
        writer.call("POST", f"/streams/{stream}/events", SINGLES[0])
        time.sleep(APART_SECONDS)

    def without_pause() -> None:
        writer.call("POST", f"/streams/{stream}/events", SINGLES[0])

    native = _native_producer(server, place, stream)
    found = {}
    for who, append in (
        ("now and then", now_and_then),
        ("without pause", without_pause),
        ("by another client", native),
    ):
        sampled = _sample(server, stream, append, seconds)
        took = sampled.staleness_ms()
        found[who] = (statistics.median(took), max(took))
    return found


def _native_producer(server: Server, place: Place, stream: str) -> Callable[[], None]:
    query = (
        "SELECT e.topic FROM streams_epoch e JOIN streams_partition p ON p.id = e.partition_id"
        " JOIN streams_stream s ON s.id = p.stream_id WHERE s.name = %s"
    )
    with psycopg.connect(server.instance.database_url) as connection:
        [(topic,)] = connection.execute(query, [stream]).fetchall()
    producer = Producer({"bootstrap.servers": place.options["bootstrap_servers"], "linger.ms": 0})

    def produce() -> None:
        producer.produce(topic, b'{"id":"of-another-client"}', partition=0)
        producer.flush(10)
        time.sleep(APART_SECONDS)

    return produce


def _sample(server: Server, stream: str, append: Callable[[], None], seconds: float) -> Sampled:
    sampled = Sampled()
    deadline = time.monotonic() + seconds
    threads = [
        threading.Thread(target=_look_at_heads, args=(server, stream, sampled, deadline)),
        threading.Thread(target=_look_at_counters, args=(server, stream, sampled, deadline)),
    ]
    for thread in threads:
        thread.start()
    while time.monotonic() < deadline:
        append()
    for thread in threads:
        thread.join()
    return sampled


def _look_at_heads(server: Server, stream: str, sampled: Sampled, deadline: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.instance.port, timeout=30)
    path = f"/api/v1/streams/{stream}/events?last_offset=latest&limit=1"
    while time.monotonic() < deadline:
        connection.request("GET", path, headers={"X-API-Key": server.key})
        answer = connection.getresponse()
        answer.read()
        head = int(answer.headers["EventFlow-Head-Offset"])
        if not sampled.heads or head > sampled.heads[-1][1]:
            sampled.heads.append((time.monotonic(), head))
        time.sleep(PAUSE_SECONDS)


def _look_at_counters(server: Server, stream: str, sampled: Sampled, deadline: float) -> None:
    query = (
        "SELECT p.head_offset FROM streams_partition p JOIN streams_stream s ON s.id = p.stream_id WHERE s.name = %s"
    )
    with psycopg.connect(server.instance.database_url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            [(counter,)] = connection.execute(query, [stream]).fetchall()
            sampled.counters.append((time.monotonic(), counter))
            time.sleep(PAUSE_SECONDS)
