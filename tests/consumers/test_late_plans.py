"""What is late is found by indexes, however many events are for later: none that waits for its time is passed over."""

import re

import pytest
from django.db import connection

from tests.consumers.leases import info, make_lease_group
from tests.consumers.plans import delivery_scans, fill, plan_of

pytestmark = [pytest.mark.usefixtures("db_with_commits"), pytest.mark.slow("schedules 40,000 events and vacuums them")]
FOR_LATER = 20_000
INDEXES = {
    "delivery_for_later",
    "delivery_held_up",
    "delivery_leased_by_expiry",
    "delivery_exhausted",
    "delivery_waiting_by_due",
    "delivery_failed_most",
    "delivery_suspected",
}


def schedule(group) -> None:
    """Let many events wait for their time, as a lease does that comes across them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO consumers_delivery (group_id, partition_id, round, first_offset, last_offset, state, is_alone,
                   delivery_count, failure_count, available_at, due_at, leased_by, exhausted_reason, last_error, created_at)
            SELECT %s, %s, 0, n, n, 'waiting', false, 0, 0, at, at, '', '', '', now()
              FROM (SELECT n, now() + make_interval(secs => 3600 + n) AS at FROM generate_series(1, %s) AS n) AS later
            """,
            [group.pk, info(group).partition(0).id, FOR_LATER],
        )


@pytest.fixture
def group():
    """A group with much for later, beside another one and one with none of which little is in hand."""
    group = make_lease_group()
    schedule(group)
    schedule(make_lease_group(stream=group.stream))
    fill(make_lease_group(stream=group.stream), waiting=1_000, leased=100, exhausted=100)
    return group


def asked(group):
    return {"group_ids": [group.pk], "partition_ids": [info(group).partition(0).id]}


def test_what_is_late_is_found_by_indexes_alone(group):
    plan = plan_of("find_late", **asked(group))
    scans = delivery_scans(plan)
    assert [scan for scan in scans if not INDEXES & set(re.findall(r"\w+", scan))] == [], plan
    # Whether there is any, and which is due first.
    assert sum("delivery_for_later" in scan for scan in scans) >= 2, plan


def test_of_what_is_for_later_one_entry_is_read(group):
    plan = plan_of("find_late", is_run=True, **asked(group))
    # The three groups have a row each.
    removed = [float(rows) for rows in re.findall(r"Rows Removed by Filter: ([\d.]+)", plan)]
    assert max(removed, default=0) <= 3, plan
    read = [float(rows) for rows in re.findall(r"on (?:consumers_delivery|delivery_).*?actual rows=([\d.]+)", plan)]
    assert read, plan
    assert max(read) <= 1, plan
