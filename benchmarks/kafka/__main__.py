"""`make bench-kafka`: one server over HTTP, its streams in PostgreSQL and in Kafka clusters, by turns in one run.

All share this machine, so read the ratios. Needs wrk, and Java and Maven for clusters of its own; `--bootstrap` takes
one that is there.
"""

import argparse
import itertools
import statistics
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.table import Table

from benchmarks import wrk
from benchmarks.instance import Instance
from benchmarks.kafka.alone import LIKE, engines_alone
from benchmarks.kafka.counters import staleness
from benchmarks.kafka.idle import USED, eight_readers, idle_servers, shares_of
from benchmarks.kafka.loads import Outcome, Server, Size, loads_of, settle
from benchmarks.kafka.places import POSTGRES, Place, engines_variable, kafka_places, place_at

console = Console(width=150)
SHORT = Size(seconds=1, short=5_000, long=20_000, wakes=10)

Rounds = dict[str, dict[str, list[Outcome]]]


def main() -> None:
    asked = _arguments()
    wrk.require_wrk()
    size = SHORT if asked.seconds == 1 else Size(asked.seconds)
    with _clusters(asked) as clusters:
        for table in _compare(asked, size, clusters):
            console.print(table)
        if not asked.only and size is not SHORT:
            with idle_servers(clusters[0]) as servers:
                console.print(_idle(servers, clusters[0], seconds=20.0, settling_seconds=15.0))


def _clusters(asked: argparse.Namespace) -> AbstractContextManager[list[Place]]:
    if asked.bootstrap:
        return nullcontext([place_at(asked.bootstrap, asked.bootstrap.count(",") + 1)])
    return kafka_places([int(each) for each in asked.nodes.split(",")])


def _compare(asked: argparse.Namespace, size: Size, clusters: Sequence[Place]) -> Iterator[Table]:
    places = [POSTGRES, *clusters]
    seconds = 0.2 if size is SHORT else 2.0
    with (
        Instance(is_embedded=True, EVENTFLOW_ENGINES=engines_variable(clusters)) as instance,
        engines_alone(instance.database_url, places, seconds=seconds, history=min(size.long, 100_000)) as alone,
    ):
        console.print("  filling streams …")
        server = Server(instance, places, size)
        loads = {name: load for name, load in loads_of(server).items() if asked.only in name}
        over_http: Rounds = {name: {each.name: [] for each in places} for name in loads}
        without: Rounds = {name: {each.name: [] for each in places} for name in loads if name in LIKE}
        for turn, (name, load) in itertools.product(range(asked.rounds), loads.items()):
            console.print(f"  {name.strip()}, round {turn + 1} of {asked.rounds} …")
            # Who goes first pays for what came before.
            for place in (*places[turn % len(places) :], *places[: turn % len(places)]):
                if size is not SHORT:
                    settle(server)
                over_http[name][place.name].append(load(place))
                if name in without:
                    without[name][place.name].append(alone[place.name][name]())
        yield _rates(over_http, places)
        yield _shares(over_http, without, places)
        yield _costs(over_http, places)
        if not asked.only:
            yield _counters(server, clusters, seconds=1.0 if size is SHORT else 10.0)
        if not asked.only and size is SHORT:
            # Starting others would take longer than all the rest.
            yield _idle({USED: instance}, clusters[0], seconds=1.0, settling_seconds=0.0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kafka", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3, help="of each load; 1: a short run that only shows it works")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--nodes", default="1,3", help="of the clusters that it starts")
    parser.add_argument("--bootstrap", default="", help="host:port,… of a cluster to take instead")
    parser.add_argument("--only", default="", help="loads with this in their names, and nothing else")
    return parser.parse_args()


def _median(outcomes: Sequence[Outcome], name: str) -> float:
    return statistics.median(getattr(each, name) for each in outcomes)


def _rates(rounds: Rounds, places: Sequence[Place]) -> Table:
    title = "Over HTTP: a second, p50/p99 ms, and the rate as a share of PostgreSQL's"
    table = Table("", *(each.name for each in places), title=title)
    for name, by_place in rounds.items():
        table.add_row(name, *(_rate(by_place[each.name], by_place[POSTGRES.name]) for each in places))
    return table


def _rate(outcomes: Sequence[Outcome], of_postgres: Sequence[Outcome]) -> str:
    rate, p50, p99 = (_median(outcomes, name) for name in ("per_second", "p50", "p99"))
    failures = sum(each.failures for each in outcomes)
    times = f"{p50:.1f}/{p99:.0f}" + (f" ({failures} FAILED)" if failures else "")
    if not rate:
        return times
    return f"{rate:,.0f} · {times} · {rate / _median(of_postgres, 'per_second'):.2f}"


def _shares(over_http: Rounds, without: Rounds, places: Sequence[Place]) -> Table:
    title = "Over HTTP by two workers, as a share of the engine alone in one process, whose rate stands beside it"
    table = Table("", *(each.name for each in places), title=title)
    for name, by_place in without.items():
        cells = []
        for place in places:
            alone = _median(by_place[place.name], "per_second")
            cells.append(f"{_median(over_http[name][place.name], 'per_second') / alone:.2f} of {alone:,.0f}")
        table.add_row(name, *cells)
    return table


def _costs(rounds: Rounds, places: Sequence[Place]) -> Table:
    title = "CPU of an event, µs: all processes of the server + the brokers'"
    table = Table("", *(each.name for each in places), title=title)
    for name, by_place in rounds.items():
        pairs = [[_median(by_place[each.name], what) for what in ("server_cpu", "brokers_cpu")] for each in places]
        if any(pairs[0]):
            table.add_row(
                name, *(f"{server:.1f} + {brokers:.1f}" if brokers else f"{server:.1f}" for server, brokers in pairs)
            )
    return table


def _counters(server: Server, clusters: Sequence[Place], *, seconds: float) -> Table:
    title = "For how long the counters of a partition were overtaken, p50/max ms"
    found = {each.name: staleness(server, each, seconds=seconds) for each in clusters}
    table = Table("appends", *found, title=title)
    for who in found[clusters[0].name]:
        table.add_row(who, *(f"{took[who][0]:,.0f}/{took[who][1]:,.0f}" for took in found.values()))
    return table


def _idle(servers: dict[str, Instance], place: Place, *, seconds: float, settling_seconds: float) -> Table:
    table = Table("", "% of a processor", title="What nobody uses")
    shares = shares_of(servers, place, seconds=seconds, settling_seconds=settling_seconds)
    for name, share in shares.items():
        table.add_row(f"all processes of a server: {name}", f"{100 * share:.1f}")
    table.add_row("eight readers with full queues", f"{100 * eight_readers(place, seconds=seconds):.1f}")
    return table


if __name__ == "__main__":
    main()
