"""Where events are sorted, retention may take all of them as well: the group is told, and goes on at the head."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from streams.log import get_log
from tests.consumers.leases import committed, info, lease, make_lease_group, offsets, produce_kinds

pytestmark = pytest.mark.usefixtures("db_with_commits")

WANTED = {"type": "wanted", "key": "a"}
KINDS = {
    "filtered": ({"filter": {"types": ["wanted"]}}, WANTED),
    "by key": ({"ordering": "key"}, WANTED),
    "for later": ({}, {"type": "wanted", "deliver_after": 0.001}),
    "in order": ({"ordering": "partition", "filter": {"types": ["wanted"]}}, WANTED),
}


@pytest.fixture(params=KINDS)
def overtaken(request):
    """A group of whose stream retention took everything before the group had any of it."""
    settings, event = KINDS[request.param]
    group = make_lease_group(**settings)
    produce_kinds(group, *[event] * 10)
    get_log().trim(info(group).partition(0), keep_events=0)
    return group


def test_it_is_told_at_once_and_stands_at_the_head(overtaken):
    leased = lease(overtaken)

    assert (leased.deliveries, committed(overtaken), leased.lost) == ([], 10, 10)
    assert [(gap.first_offset, gap.last_offset) for gap in leased.gaps] == [(1, 10)]
    assert lease(overtaken).is_nothing


def test_who_waits_then_waits_for_what_comes_and_does_not_spin(overtaken):
    lease(overtaken)

    with CaptureQueriesContext(connection) as queries:
        assert lease(overtaken, wait_seconds=0.5).is_nothing
    assert len(queries) < 100
    produce_kinds(overtaken, WANTED)
    assert offsets(lease(overtaken).deliveries) == [11]
