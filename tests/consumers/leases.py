"""Words in which tests speak of leases."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from django.db import connection
from uuid_utils.compat import uuid7

from consumers.isolation import FailedEvent
from consumers.models import ConsumerGroup, DeadLetter, Delivery, GroupOffset
from consumers.services.leasing import (
    Ack,
    Leased,
    LeasedDelivery,
    LeaseRef,
    Nack,
    ack_deliveries,
    lease_deliveries,
    nack_deliveries,
)
from consumers.services.leasing.lease import _look
from consumers.services.leasing.rows import LeaseTerms, Taken
from consumers.services.waiting import Look
from streams.log import get_log
from streams.log.protocol import PartitionAppend
from streams.lookup import StreamInfo, load_stream
from tests.factories import make_group, make_stream


def make_lease_group(*, partitions: int = 1, stream: Any = None, **settings: Any) -> ConsumerGroup:
    """A group in lease mode; unless asked otherwise, a failure waits for nothing."""
    stream = stream or make_stream(partitions=partitions)
    return make_group(stream, mode="lease", **{"backoff_seconds": (0,), **settings})


def info(group: ConsumerGroup) -> StreamInfo:
    found = load_stream(group.stream.name)
    assert found is not None
    return found


def produce_kinds(group: ConsumerGroup, *events: dict[str, Any], partition: int = 0) -> None:
    """Append events that differ in their types, keys, headers or times."""
    plain: dict[str, Any] = {"id": "1", "type": "t", "key": None, "occurred_at": None, "headers": {}, "payload": None}
    records = [orjson.dumps(plain | {"id": str(n)} | event) for n, event in enumerate(events, 1)]
    timed = [n for n, event in enumerate(events) if {"deliver_after", "expires_after"} & event.keys()]
    get_log().append([PartitionAppend(info(group).partition(partition), records, timed=timed)])


def produce(group: ConsumerGroup, count: int, *, partition: int = 0, size: int = 0) -> None:
    """Append events whose payload is their number, from 1."""
    record = b'{"id":"%d","type":"t","key":null,"occurred_at":null,"headers":{},"payload":{"n":%d,"x":"%b"}}'
    for start in range(0, count, 1000):
        records = [record % (n, n, b"x" * size) for n in range(start + 1, min(start + 1000, count) + 1)]
        get_log().append([PartitionAppend(info(group).partition(partition), records)])


def lease(group: ConsumerGroup, max_events: int = 100, *, consumer: str = "worker", **options: Any) -> Leased:
    group = ConsumerGroup.objects.select_related("stream").get(pk=group.pk)
    return lease_deliveries(stream=info(group), group=group, consumer=consumer, max_events=max_events, **options)


def lease_one(group: ConsumerGroup, max_events: int = 100, **options: Any) -> LeasedDelivery:
    (delivery,) = lease(group, max_events, **options).deliveries
    return delivery


def lease_together(group: ConsumerGroup, *sizes: int) -> list[Leased]:
    """What calls that come at the same moment, for so many events each, are handed in one transaction."""
    return [look.found for look in look_together(group, *sizes)]


def look_together(group: ConsumerGroup, *sizes: int) -> list[Look[Leased]]:
    """One look of calls that come at the same moment, in their order."""
    group = ConsumerGroup.objects.select_related("stream").get(pk=group.pk)
    asked = [Taken(LeaseTerms(group, uuid7(), f"c{number}", 30.0), size) for number, size in enumerate(sizes)]
    looks = []
    for look in _look(info(group), asked)():
        assert isinstance(look, Look), look
        looks.append(look)
    return looks


def ack(group: ConsumerGroup, *deliveries: LeasedDelivery, failed: Iterable[int | FailedEvent] = ()) -> list[str]:
    named = [FailedEvent(event, "broken") if isinstance(event, int) else event for event in failed]
    results = ack_deliveries(group=group, acks=[Ack(each.id, each.token, named) for each in deliveries])
    return [each.result.value for each in results]


def nack(group: ConsumerGroup, *deliveries: LeasedDelivery, error: str = "broken", **options: Any) -> list[str]:
    nacks = [Nack(each.id, each.token, error, **options) for each in deliveries]
    return [each.result.value for each in nack_deliveries(group=group, nacks=nacks)]


def refs(*deliveries: LeasedDelivery) -> list[LeaseRef]:
    return [LeaseRef(each.id, each.token) for each in deliveries]


def offsets(deliveries: Sequence[LeasedDelivery]) -> list[int]:
    return [orjson.loads(event)["offset"] for delivery in deliveries for event in delivery.events]


def committed(group: ConsumerGroup, partition: int = 0) -> int:
    return GroupOffset.objects.get(group=group, partition__number=partition).committed_offset


def states(group: ConsumerGroup) -> list[tuple[int, int, str]]:
    rows = Delivery.objects.filter(group=group).order_by("partition_id", "first_offset", "id")
    return list(rows.values_list("first_offset", "last_offset", "state"))


def dead(group: ConsumerGroup) -> list[tuple[int, str]]:
    return list(DeadLetter.objects.filter(group=group).order_by("offset", "round").values_list("offset", "reason"))


def let_expire(group: ConsumerGroup) -> None:
    """Make it later for the group's leases: tests do not wait for clocks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consumers_delivery SET lease_expires_at = statement_timestamp() - interval '1 ms'"
            " WHERE group_id = %s AND state = 'leased'",
            [group.pk],
        )


def make_due(group: ConsumerGroup) -> None:
    """Make it later for what waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consumers_delivery SET available_at = statement_timestamp()"
            " WHERE group_id = %s AND state = 'waiting'",
            [group.pk],
        )


def let_events_expire(group: ConsumerGroup) -> None:
    """Make it later for the events of deliveries that expire some time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE consumers_delivery SET event_expires_at = statement_timestamp() - interval '1 ms'"
            " WHERE group_id = %s AND event_expires_at IS NOT NULL",
            [group.pk],
        )


def eventually(condition: Any, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
