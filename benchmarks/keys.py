"""What it costs to keep the order of each key: `python -m benchmarks.keys`.

In one process, on a PostgreSQL of its own: lease + ack of a hundred events, in a group that keeps no order and in one
that keeps that of keys; in that one again when KEYS keys have been seen (a million unless it says otherwise), and beside
as many held up events as a group may have. What counts is the ratio of the last two to the second.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.own_database import own_database

KEYS = int(os.environ.get("KEYS", "1_000_000"))
PAIRS = 200
BATCH = 100
HELD_UP = 99_000
RECORD = b'{"id":"%d","type":"t","key":"%b","occurred_at":null,"headers":{},"payload":{"n":%d,"x":"0123456789012345678901234567890"}}'
console = Console(width=110)


def main() -> None:
    with own_database():
        from django.db import connection

        from consumers.models import ConsumerGroup
        from tests.factories import make_group, make_stream

        stream = make_stream("keyed")
        need = max(KEYS + PAIRS * BATCH * 2, PAIRS * BATCH * 4)
        console.print(f"  appending {need:,} events, each with a key of its own …")
        append(stream.name, need, lambda number: b"key-%d" % number)
        settings: dict[str, Any] = {"mode": "lease", "backoff_seconds": (3600,)}
        plain = make_group(stream, "unordered", **settings)
        by_key = make_group(stream, "by-key", ordering="key", **settings)

        def loaded(group: ConsumerGroup) -> ConsumerGroup:
            return ConsumerGroup.objects.select_related("stream").get(pk=group.pk)

        table = Table("lease + ack of a hundred events", "ms, median", "events/s", "ratio")
        none = pairs(loaded(plain), PAIRS)
        add(table, "no order", none, None)
        first = pairs(loaded(by_key), PAIRS)
        add(table, "order of keys, few seen", first, None)
        console.print(f"  finishing {KEYS:,} events …")
        began = time.perf_counter()
        many = (KEYS - PAIRS * BATCH) // BATCH
        pairs(loaded(by_key), many)
        console.print(f"    {many * BATCH / (time.perf_counter() - began):,.0f} events/s")
        later = pairs(loaded(by_key), PAIRS)
        add(table, f"order of keys, {KEYS:,} seen", later, first)

        hot = make_stream("hot")
        append(hot.name, HELD_UP, lambda _: b"hot")
        append(hot.name, PAIRS * BATCH, lambda number: b"cold-%d" % number)
        held = loaded(make_group(hot, "by-key", ordering="key", **settings))
        console.print(f"  holding up {HELD_UP:,} events …")
        while not hold_up(held):
            pass
        # The planner knows by then that nearly all rows have one key.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE consumers_delivery")
        add(table, f"order of keys, beside {HELD_UP:,} held up", pairs(held, PAIRS - 10), first)
        console.print(table)


def append(stream: str, count: int, key_of: Callable[[int], bytes]) -> None:
    from streams.log import get_log
    from streams.log.protocol import PartitionAppend
    from streams.lookup import load_stream

    info = load_stream(stream)
    assert info is not None
    for start in range(0, count, 1000):
        records = [RECORD % (number, key_of(number), number) for number in range(start, min(start + 1000, count))]
        get_log().append([PartitionAppend(info.partition(0), records)])


def pairs(group: Any, count: int) -> list[float]:
    """Lease and ack so often; return how long each pair took, in seconds."""
    return [each for each, _ in zip(_pairs(group), range(count), strict=False)]


def _pairs(group: Any) -> Iterator[float]:
    from consumers.services.leasing import Ack, ack_deliveries, lease_deliveries
    from streams.lookup import load_stream

    info = load_stream(group.stream.name)
    assert info is not None
    while True:
        began = time.perf_counter()
        leased = lease_deliveries(stream=info, group=group, consumer="bench", max_events=BATCH)
        acks = [Ack(each.id, each.token) for each in leased.deliveries]
        if sum(len(each.events) for each in leased.deliveries) != BATCH:
            raise SystemExit(f"{sum(len(each.events) for each in leased.deliveries)} events came, not {BATCH}.")
        ack_deliveries(group=group, acks=acks)
        yield time.perf_counter() - began


def hold_up(group: Any) -> bool:
    """Lease once, and keep what comes; whether the last of the hot key is held up."""
    from consumers.models import GroupOffset
    from consumers.services.leasing import lease_deliveries
    from streams.lookup import load_stream

    info = load_stream("hot")
    assert info is not None
    lease_deliveries(stream=info, group=group, consumer="bench", max_events=1, ack_wait_seconds=3600)
    return GroupOffset.objects.get(group=group).held_up_count >= HELD_UP - 1


def add(table: Table, what: str, took: list[float], beside: list[float] | None) -> None:
    median = statistics.median(took)
    ratio = "" if beside is None else f"{median / statistics.median(beside):.2f}"
    table.add_row(what, f"{1000 * median:.1f}", f"{BATCH / median:,.0f}", ratio)


if __name__ == "__main__":
    main()
