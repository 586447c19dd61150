"""The engines alone, in this process and without HTTP: what the same loads over HTTP are held against."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from benchmarks import engines
from benchmarks.kafka.loads import Outcome
from benchmarks.kafka.places import Place
from benchmarks.own_database import set_up_django

# By the load over HTTP: what `benchmarks.engines` calls its like.
LIKE = {
    "single appends, 64 connections": "append 1, 64 threads, 1 partition",
    "events in batches of 500, 4 connections": "append 500, 4 threads, 1 partition",
    "  the same, 4 partitions": "append 500, 4 threads, 4 partitions",
    "events in polls of 1,000 in sequence, remembered": "read 1,000 in sequence, remembered",
    "  the same, not remembered": "the same, 4 threads",
}

Loads = dict[str, Callable[[], Outcome]]


@contextmanager
def engines_alone(
    database_url: str, places: Sequence[Place], *, seconds: float, history: int
) -> Iterator[dict[str, Loads]]:
    """Lend, by place and load, what measures the engine alone; PostgreSQL is the server's own."""
    set_up_django(database_url)
    contenders = {
        place.name: engines.make_kafka(place.name, place.options) if place.alias else engines.make_postgres()
        for place in places
    }
    found: dict[str, Loads] = {}
    for name, contender in contenders.items():
        loads = engines.loads_of(contender, engines.make_record, seconds=seconds, history=history)
        found[name] = {load: _measure(loads[like]) for load, like in LIKE.items()}
    try:
        yield found
    finally:
        for each in contenders.values():
            each.cold.close()
            each.log.close()


def _measure(measure: Callable[[], engines.Outcome]) -> Callable[[], Outcome]:
    def outcome() -> Outcome:
        found = measure()
        return Outcome(found.rate, found.p50_ms, found.p99_ms)

    return outcome
