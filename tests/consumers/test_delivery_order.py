"""The order of a list of deliveries, and that each order is read from an index, however many there are."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from consumers.delivery_order import DeliverySort, list_first_deliveries
from consumers.errors import WrongMode
from consumers.models import ConsumerGroup, DeadLetter, Delivery
from tests.consumers.leases import info, make_lease_group
from tests.consumers.test_lease_plans import crowded  # noqa: F401 (a fixture)
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


@pytest.mark.slow("fills a group with 40,000 deliveries")
@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", DeliverySort)
def test_the_beginning_of_a_long_list_is_read_from_the_end_of_an_index(crowded, sort, is_descending):  # noqa: F811
    with CaptureQueriesContext(connection) as asked:
        found = list_first_deliveries(crowded, sort, is_descending=is_descending, limit=31)
    assert len(found) == 31
    assert 1 <= len(asked) <= 6

    for query in asked.captured_queries:
        with connection.cursor() as cursor:
            cursor.execute(
                f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, FORMAT JSON) {query['sql'].replace('%', '%%')}", []
            )
            ((plan,),) = cursor.fetchall()
        scans = list(scans_of(plan[0]["Plan"]))
        assert scans
        for scan in scans:
            assert scan.get("Index Name", "").startswith("delivery_"), scan
            # None reads more than it shows, but for a handful that one part passes by for another.
            assert scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) <= 100, scan


def scans_of(node: dict[str, Any]) -> Any:
    """What the plan reads of the deliveries themselves."""
    if node.get("Relation Name") == "consumers_delivery":
        yield node
    for child in node.get("Plans", []):
        yield from scans_of(child)
