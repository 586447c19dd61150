"""Who was seen reading as a group is a member of it, until nobody has seen them for two weeks."""

from datetime import timedelta

import pytest
from django.utils import timezone

from consumers.conf import MEMBER_SECONDS
from consumers.models import ConsumerGroup, GroupMember
from consumers.services.reconcile import tidy_up
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


def age(group: ConsumerGroup, **days: float) -> None:
    """Let members have been seen so many days ago."""
    for name, ago in days.items():
        seen_at = timezone.now() - timedelta(days=ago)
        GroupMember.objects.filter(group=group, name=name).update(last_seen_at=seen_at)


def members(group: ConsumerGroup) -> list[str]:
    return sorted(GroupMember.objects.filter(group=group).values_list("name", flat=True))


def test_consumers_that_take_a_new_name_with_each_start_do_not_stay_members_for_ever():
    owner = make_owner()
    api, group = ApiClient(key=make_key(owner)), make_group(make_stream("orders", owner=owner), "billing", mode="lease")
    for name in ("pod_1", "pod_2", "pod_3", "pod_4"):
        answer = api.post("/streams/orders/consumer-groups/billing/lease", {"consumer": name})
        assert answer.status_code == 200
    limit = MEMBER_SECONDS / 86400
    age(group, pod_1=365, pod_2=limit + 0.01, pod_3=limit - 0.01)

    tidy_up()

    (told,) = api.get("/consumer-groups").json()["data"]
    assert sorted(each["name"] for each in told["members"]) == members(group) == ["pod_3", "pod_4"]


def test_since_when_nobody_reads_as_a_group_is_not_forgotten():
    group = make_group(make_stream("orders"), "billing")
    other = make_group(group.stream, "mail")
    GroupMember.objects.bulk_create(
        GroupMember(group=each, name=name, last_seen_at=timezone.now())
        for each in (group, other)
        for name in ("a", "b")
    )
    age(group, a=300, b=200)

    tidy_up()

    assert (members(group), members(other)) == (["b"], ["a", "b"])
