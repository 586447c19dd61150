"""What a server costs that does nothing: without Kafka, with an engine that nobody uses, and with one that was used."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import engines
from benchmarks.api import Api, sign_in
from benchmarks.instance import Instance
from benchmarks.kafka.loads import SINGLES
from benchmarks.kafka.places import Place, engines_variable

NO_ENGINE, UNUSED, USED = "no engine", "an engine that nobody uses", "a stream in it, appended to and read"


@contextmanager
def idle_servers(place: Place) -> Iterator[dict[str, Instance]]:
    """Lend three servers side by side."""
    variable = engines_variable([place])
    with (
        Instance(is_embedded=True) as plain,
        Instance(is_embedded=True, EVENTFLOW_ENGINES=variable) as unused,
        Instance(is_embedded=True, EVENTFLOW_ENGINES=variable) as used,
    ):
        yield {NO_ENGINE: plain, UNUSED: unused, USED: used}


def shares_of(
    servers: dict[str, Instance], place: Place, *, seconds: float, settling_seconds: float
) -> dict[str, float]:
    """Return the share of a processor that each server takes while nobody asks it for anything."""
    if USED in servers:
        _use(servers[USED], place)
    time.sleep(settling_seconds)
    before = {name: each.cpu_seconds() for name, each in servers.items()}
    time.sleep(seconds)
    return {name: (each.cpu_seconds() - before[name]) / seconds for name, each in servers.items()}


def _use(instance: Instance, place: Place) -> None:
    admin = sign_in(instance.port, instance.password)
    admin.call("POST", "/streams", place.settings("used", 1))
    # On connections of their own: each may come to another worker.
    for _ in range(10):
        writer = Api(instance.port, admin.headers)
        writer.call("POST", "/streams/used/events", SINGLES[0])
        writer.call("GET", "/streams/used/events?last_offset=0")


def eight_readers(place: Place, *, seconds: float) -> float:
    """Return the share of a processor that eight readers take together, whose queues are full and whom nobody asks.

    In this process, which does nothing else; Django is set up.
    """
    from streams.log.protocol import PartitionAppend

    contender = engines.make_kafka(place.name, place.options, readers=8)
    log = contender.cold
    partitions = contender.make(8)
    records = [engines.make_record(number) for number in range(1_000)]
    for partition in partitions:
        for _ in range(8):
            log.append([PartitionAppend(partition, records)])
        log.read(partition, after=0, max_events=2, max_bytes=1_000_000)
    time.sleep(1.0)
    spent = time.process_time()
    time.sleep(seconds)
    share = (time.process_time() - spent) / seconds
    log.close()
    contender.log.close()
    return share
