"""What is for later is not late before its time; from then on it is, for as long as it is past it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.roles import Right
from consumers.group_standings import list_standings
from consumers.models import ConsumerGroup, Delivery
from observability.numbers.holdings import load_holdings
from observability.numbers.outlook import list_group_numbers
from streams.models import Stream
from tests.client import ApiClient
from tests.consumers.leases import ack, lease, lease_one, make_due, make_lease_group, nack, produce_kinds
from tests.factories import make_key
from tests.observability.appending import pretend_recorded

pytestmark = pytest.mark.usefixtures("db_with_commits")

DAY = 86_400
LATER = {"deliver_after": 20 * DAY}


def append(group: ConsumerGroup, event: dict, *, offset: int, seconds_ago: float = 0.0) -> None:
    """Append an event as the offset that it is said to have, recorded a while ago."""
    produce_kinds(group, event)
    pretend_recorded(group.stream, offset, timezone.now() - timedelta(seconds=seconds_ago))


def lag_seconds(group: ConsumerGroup) -> float | None:
    [standing] = list_standings(ConsumerGroup.objects.filter(pk=group.pk), now=timezone.now())
    return standing.lag_seconds


def become_due(group: ConsumerGroup, *, seconds_ago: float) -> None:
    """Make it later for what is for later."""
    Delivery.objects.filter(group=group, due_at__isnull=False).update(
        due_at=timezone.now() - timedelta(seconds=seconds_ago)
    )
    make_due(group)


def test_what_is_not_due_is_a_lag_in_events_and_none_in_time():
    group = make_lease_group()
    append(group, LATER, offset=1, seconds_ago=5 * DAY)
    assert lease(group).deliveries == []

    [standing] = list_standings(ConsumerGroup.objects.filter(pk=group.pk), now=timezone.now())
    assert (standing.lag, standing.lag_seconds, standing.scheduled) == (1, None, 1)
    (of_partition,) = (
        ApiClient(key=make_key(group.stream.owner, Right.CONSUME))
        .get(f"/streams/{group.stream.name}/consumer-groups/{group.name}/offsets")
        .json()["data"]
    )
    assert (of_partition["lag"], of_partition["lag_seconds"]) == (1, None)


def test_from_its_time_it_is_late_whatever_becomes_of_it():
    group = make_lease_group()
    append(group, LATER, offset=1, seconds_ago=5 * DAY)
    lease(group)
    become_due(group, seconds_ago=60)

    assert 60 <= lag_seconds(group) < 90
    leased = lease_one(group)
    assert 60 <= lag_seconds(group) < 90
    nack(group, leased)
    assert 60 <= lag_seconds(group) < 90
    ack(group, lease_one(group))
    assert lag_seconds(group) is None


@pytest.mark.parametrize("ordering", ["none", "partition", "key"])
def test_what_stands_behind_it_counts_from_when_it_was_recorded(ordering):
    group = make_lease_group(ordering=ordering)
    append(group, {**LATER, "key": "a"}, offset=1, seconds_ago=5 * DAY)
    lease(group)
    # Not handed out yet; then leased, or held up, or behind it in its partition.
    append(group, {"key": "a"}, offset=2, seconds_ago=100)
    assert 100 <= lag_seconds(group) < 130
    lease(group)
    assert 100 <= lag_seconds(group) < 130


def test_what_was_finished_behind_it_does_not_count():
    group = make_lease_group()
    append(group, LATER, offset=1, seconds_ago=5 * DAY)
    append(group, {}, offset=2, seconds_ago=100)
    append(group, {}, offset=3, seconds_ago=50)
    append(group, LATER, offset=4, seconds_ago=40)
    second = lease_one(group, 1)
    assert 100 <= lag_seconds(group) < 130
    ack(group, second)
    assert 50 <= lag_seconds(group) < 80
    ack(group, lease_one(group))
    assert lag_seconds(group) is None


@pytest.mark.parametrize("state", ["waiting for its next attempt", "alone", "exhausted"])
def test_what_failed_behind_it_counts_from_when_it_was_recorded(state):
    group = make_lease_group(max_failures=1 if state == "exhausted" else 5, backoff_seconds=(3600,))
    append(group, LATER, offset=1, seconds_ago=5 * DAY)
    append(group, {}, offset=2, seconds_ago=100)
    nack(group, lease_one(group))
    if state == "alone":
        Delivery.objects.filter(due_at__isnull=True).update(is_alone=True)
    assert 100 <= lag_seconds(group) < 130


def test_each_part_of_a_delivery_that_came_apart_knows_its_time():
    group = make_lease_group()
    produce_kinds(group, *[LATER] * 3)
    lease(group)
    become_due(group, seconds_ago=60)
    ack(group, lease_one(group, 2), failed=[1])
    assert Delivery.objects.filter(group=group, due_at__isnull=False).count() == 2
    assert 60 <= lag_seconds(group) < 90


def test_retention_does_not_wait_for_it():
    group = make_lease_group()
    Stream.objects.filter(pk=group.stream_id).update(retention_max_age_seconds=10 * DAY)
    append(group, LATER, offset=1, seconds_ago=9 * DAY)
    lease(group)
    now = timezone.now()
    [numbers] = list_group_numbers(
        ConsumerGroup.objects.filter(pk=group.pk), load_holdings(stream_ids=None, now=now), now=now
    )
    assert numbers.standing.lag_seconds is None
    assert 0.9 * DAY < numbers.outlook.retention_risk_seconds < 1.1 * DAY


def test_groups_without_such_events_are_asked_nothing_more():
    group = make_lease_group()
    append(group, {}, offset=1)
    with CaptureQueriesContext(
        connection,
    ) as plain:
        lag_seconds(group)
    assert not [query for query in plain.captured_queries if "due_at" in query["sql"]]
    append(group, LATER, offset=2)
    with CaptureQueriesContext(connection) as timed:
        lag_seconds(group)
    assert len(timed.captured_queries) == len(plain.captured_queries) + 1
