"""What a million events for later cost those that are for now: `python -m benchmarks.scheduled`, with its own PostgreSQL.

Three groups lease and ack plain events by turns: one has nothing else, one has ten events that are for later, one EVENTS
of them (a million), each at a time of its own. Their rows are put there as sorting leaves them; how fast it does, 20,000
that are sorted tell.
"""

import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.own_database import own_database

EVENTS = int(os.environ.get("EVENTS", "1_000_000"))
SORTED = 20_000
ROUNDS = 100
LEASED = 100
DAY = 86_400
console = Console(width=120)


def main() -> None:
    with own_database():
        _measure()


def _measure() -> None:
    import orjson
    from django.db import connection
    from django.utils import timezone

    from accounts.models import User
    from accounts.principals import Principal
    from benchmarks.events import make_event
    from consumers.group_standings import list_standings
    from consumers.models import ConsumerGroup, Delivery, GroupOffset
    from consumers.services.groups import GroupSettings, create_group
    from consumers.services.leasing import Ack, ack_deliveries, lease_deliveries
    from consumers.services.leasing.supply import read_pulse
    from streams.log import close_log, get_log
    from streams.log.protocol import PartitionAppend
    from streams.lookup import StreamInfo, load_stream
    from streams.models import Partition, Stream

    user = User.objects.create(email="bench@localhost.invalid")

    def make_record(number: int, **fields: object) -> bytes:
        event = {"id": str(number), "occurred_at": None, "headers": {}, **fields, **make_event(number)}
        return orjson.dumps(event)

    def make_group(name: str) -> tuple[StreamInfo, ConsumerGroup]:
        stream = Stream.objects.create(name=name, owner=user)
        Partition.objects.create(stream=stream, number=0)
        found = load_stream(name)
        if found is None:
            raise AssertionError(name)
        owner = Principal(user_id=user.pk)
        group, _ = create_group(stream=found, name="readers", settings=GroupSettings(mode="lease"), owner=owner)
        return found, ConsumerGroup.objects.select_related("stream").get(pk=group.pk)

    def schedule(stream: StreamInfo, group: ConsumerGroup, count: int) -> None:
        """Let a group have come to events that were the first of its stream, as if they were still kept."""
        partition = stream.partitions[0]
        Partition.objects.filter(pk=partition.id).update(head_offset=count, earliest_offset=count + 1)
        GroupOffset.objects.filter(group=group).update(dispatched_offset=count)
        with connection.cursor() as cursor:
            cursor.execute(
                """
                INSERT INTO consumers_delivery (group_id, partition_id, round, first_offset, last_offset, state, is_alone,
                       delivery_count, failure_count, available_at, leased_by, exhausted_reason, last_error, created_at)
                SELECT %s, %s, 0, n, n, 'waiting', false,
                       0, 0, now() + interval '1 day' + n * interval '10 ms', '', '', '', now()
                  FROM generate_series(1, %s) AS n
                """,
                [group.pk, partition.id, count],
            )

    def lease_and_ack(stream: StreamInfo, group: ConsumerGroup) -> None:
        leased = lease_deliveries(stream=stream, group=group, consumer="bench", max_events=LEASED)
        if sum(len(each.events) for each in leased.deliveries) != LEASED:
            raise AssertionError(leased)
        ack_deliveries(group=group, acks=[Ack(each.id, each.token) for each in leased.deliveries])

    groups = {}
    for count in (0, 10, EVENTS):
        console.print(f"  {count:,} for later …")
        stream, group = groups[count] = make_group(f"for-later-{count}")
        schedule(stream, group, count)
        records = [make_record(number) for number in range(ROUNDS * LEASED)]
        for first in range(0, len(records), 1000):
            get_log().append([PartitionAppend(stream.partitions[0], records[first : first + 1000])])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE consumers_delivery")
    acts: dict[str, Callable[[Any, Any], object]] = {
        f"lease + ack of {LEASED}": lease_and_ack,
        "the look before a lease": lambda _, group: read_pulse(group),
        "how the group stands": lambda _, group: list_standings(
            ConsumerGroup.objects.filter(pk=group.pk), now=timezone.now()
        ),
    }
    console.print(_by_turns(acts, groups))

    stream, group = make_group("to-sort")
    for first in range(0, SORTED, 1000):
        records = [make_record(n, deliver_after=DAY + n * 0.01) for n in range(first, first + 1000)]
        get_log().append([PartitionAppend(stream.partitions[0], records, timed=range(1000))])
    started = time.perf_counter()
    while Delivery.objects.filter(group=group).count() < SORTED:
        lease_deliveries(stream=stream, group=group, consumer="bench", max_events=1)
    console.print(f"  {SORTED / (time.perf_counter() - started):,.0f} events for later sorted in a second")
    close_log()


def _by_turns(acts: dict[str, Callable[[Any, Any], object]], groups: dict[int, tuple[Any, Any]]) -> Table:
    """Return the median milliseconds of each act in each group."""
    table = Table("milliseconds", *(f"{count:,} for later" for count in groups), "ratio")
    for what, act in acts.items():
        took: dict[int, list[float]] = {count: [] for count in groups}
        for _ in range(ROUNDS):
            for count, (stream, group) in groups.items():
                started = time.perf_counter()
                act(stream, group)
                took[count].append(1000 * (time.perf_counter() - started))
        medians = [median(each) for each in took.values()]
        table.add_row(what, *(f"{each:.2f}" for each in medians), f"{medians[-1] / medians[0]:.2f}")
    return table


if __name__ == "__main__":
    main()
