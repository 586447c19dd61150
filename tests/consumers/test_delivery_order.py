"""The order of a list of deliveries."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from consumers.delivery_order import DeliverySort, list_first_deliveries
from consumers.errors import WrongMode
from consumers.models import ConsumerGroup, DeadLetter, Delivery
from tests.consumers.leases import info, make_lease_group
from tests.factories import make_group, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")
NOW = datetime.now(UTC)


def minutes(number: int) -> datetime:
    return NOW + timedelta(minutes=number)


def put(group: ConsumerGroup, offset: int, *, partition: int = 0, failures: int = 0, **columns: Any) -> None:
    if "expires" in columns:
        columns = {
            "state": "leased",
            "lease_token": uuid4(),
            "leased_at": NOW,
            "lease_expires_at": minutes(columns["expires"]),
        }
    elif "due" in columns:
        columns = {"state": "waiting", "available_at": minutes(columns.pop("due")), **columns}
    else:
        columns = {"state": "exhausted", "exhausted_reason": "terminal"}
    Delivery.objects.create(
        group=group,
        partition_id=info(group).partition(partition).id,
        first_offset=offset,
        last_offset=offset,
        delivery_count=9,
        failure_count=failures,
        created_at=NOW,
        **columns,
    )


@pytest.fixture
def group() -> ConsumerGroup:
    """Made in no order at all."""
    group = make_lease_group(partitions=2)
    put(group, 7, due=30, failures=1)
    put(group, 3, expires=20)
    put(group, 9)
    put(group, 1, due=10, failures=4, is_alone=True)
    put(group, 5, expires=-5, failures=2)
    put(group, 2, expires=60)
    put(group, 4, partition=1, due=-60)
    dead_letter = DeadLetter.objects.create(
        group=group,
        partition_id=info(group).partition(0).id,
        offset=6,
        event=b"{}",
        reason="terminal",
        created_at=NOW,
        status="redriven",
    )
    put(group, 6, due=40, dead_letter=dead_letter, failures=2)
    return group


@pytest.mark.parametrize(
    ("sort", "is_descending", "offsets"),
    [
        # The second partition comes after the first.
        ("offset", False, [1, 2, 3, 5, 6, 7, 9, 4]),
        ("offset", True, [4, 9, 7, 6, 5, 3, 2, 1]),
        # What is out of attempts has no time.
        ("due", False, [4, 5, 1, 3, 7, 6, 2, 9]),
        ("due", True, [2, 6, 7, 3, 1, 5, 4, 9]),
        # Leased, waiting with what has expired, out of attempts.
        ("state", False, [3, 2, 4, 5, 1, 7, 6, 9]),
        ("state", True, [9, 6, 7, 1, 5, 4, 2, 3]),
        ("failures", False, [1, 5, 6, 7, 2, 3, 9, 4]),
    ],
)
def test_a_list_goes_by_one_thing_and_every_limit_gives_its_beginning(group, sort, is_descending, offsets):
    for limit in range(1, 10):
        found = list_first_deliveries(group, DeliverySort(sort), is_descending=is_descending, limit=limit)
        assert [each.first_offset for each in found] == offsets[:limit], limit


def test_an_offset_mode_group_has_none():
    group = make_group(make_stream(), "billing")
    with pytest.raises(WrongMode):
        list_first_deliveries(group, DeliverySort.DUE, limit=1)
