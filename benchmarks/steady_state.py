"""Whether a log with retention stays as large and as fast as it is: `python -m benchmarks.steady_state`.

Two streams in a PostgreSQL of its own, one of batches and one of single events, keep so many events each; twenty times as
many go through. Beside them lies a third one that keeps everything, so that what is dead is never much of the table, and
a fourth to which nothing happens any more: how fast the others are replayed is told as a share of it, by turns, since a
machine that others use is now fast and now slow.
Retention and merging run as their ticks would, autovacuum as it is set, but looks every second instead of every minute:
hours pass in a minute here. The disk is not waited for (`fsync` off), which changes no size.
"""

import os
import statistics
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from benchmarks.own_database import own_database

if TYPE_CHECKING:
    from streams.log.protocol import PartitionRef

TURNOVERS = int(os.environ.get("TURNOVERS", "20"))
KEPT_IN_BATCHES, BATCH = 50_000, 200
KEPT_SINGLES = 1_000
NEIGHBOURS = int(os.environ.get("NEIGHBOURS", "200000"))
# How often retention and merging come by while the kept events are replaced once.
TICKS = 10
SHOWN = (1, 2, 3, 5, 10, 15, 20)
READ_TURNS, READ_SECONDS = 5, 0.1
console = Console(width=120)


def main() -> None:
    with own_database(fsync="off", autovacuum_naptime="1s"):
        _measure()


def _measure() -> None:
    from benchmarks import log_probe
    from streams.log import close_log

    records = log_probe.make_records(2_000)
    bulk, singles, neighbour, still = map(log_probe.make_partition, ("batches", "singles", "neighbour", "still"))
    log_probe.fill_with_small_rows(neighbour, NEIGHBOURS)
    for _ in range(TICKS):
        _append_batches(still, records)
    lasting = log_probe.sizes()
    table = Table("turnover", "MB in all", "rows", "index", "records", "replay", "of singles", "pages of the oldest")
    table.title = f"{KEPT_IN_BATCHES:,} events in batches of {BATCH} and {KEPT_SINGLES:,} single ones kept"
    for turnover in range(1, TURNOVERS + 1):
        for _ in range(TICKS):
            _append_batches(bulk, records)
            _append_singles(singles, records)
            _tick(bulk, KEPT_IN_BATCHES)
            _tick(singles, KEPT_SINGLES)
        if turnover in SHOWN:
            table.add_row(
                str(turnover),
                *(f"{(now - before) / 2**20:.1f}" for now, before in zip(log_probe.sizes(), lasting, strict=True)),
                *(f"{_replayed_of(still, each):.2f}" for each in (bulk, singles)),
                f"{log_probe.pages_of_oldest(bulk)} and {log_probe.pages_of_oldest(singles)}",
            )
    console.print(table)
    console.print(f"Without the {NEIGHBOURS:,} rows of a stream that keeps everything: {lasting[0] / 2**20:.1f} MB.")
    close_log()


def _replayed_of(still: "PartitionRef", partition: "PartitionRef") -> float:
    """Return how fast a partition is replayed, as a share of one to which nothing happens."""
    from benchmarks.log_probe import replayed_per_second

    return statistics.median(
        replayed_per_second(partition, seconds=READ_SECONDS) / replayed_per_second(still, seconds=READ_SECONDS)
        for _ in range(READ_TURNS)
    )


def _append_batches(partition: "PartitionRef", records: list[bytes]) -> None:
    from streams.log import get_log
    from streams.log.protocol import PartitionAppend

    for start in range(0, KEPT_IN_BATCHES // TICKS, BATCH):
        begin = start % (len(records) - BATCH)
        get_log().append([PartitionAppend(partition, records[begin : begin + BATCH])])


def _append_singles(partition: "PartitionRef", records: list[bytes]) -> None:
    from streams.log import get_log
    from streams.log.protocol import PartitionAppend

    for number in range(KEPT_SINGLES // TICKS):
        get_log().append([PartitionAppend(partition, [records[number]])])


def _tick(partition: "PartitionRef", keep_events: int) -> None:
    from django.utils import timezone

    from streams.log import get_log
    from streams.log.protocol import MergeLimits

    while get_log().trim(partition, keep_events=keep_events):
        pass
    limits = MergeLimits(timezone.now() + timedelta(seconds=1), max_events=max(1, keep_events // 20))
    while not get_log().merge(partition, limits).is_done:
        pass


if __name__ == "__main__":
    main()
