"""An event that kills its consumer every time ends as one dead letter and takes no neighbour along."""

import pytest

from consumers.models import DeliveryHistory
from tests.consumers.leases import committed, dead, make_lease_group, produce, states
from tests.consumers.processes import start

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]


def consume_until_done(group, **options):
    """Start a consumer again whenever it dies, as a supervisor would; return what all of them said."""
    said, crashes = [], 0
    while True:
        process = start("consume", group.pk, **options)
        out, _ = process.communicate(timeout=120)
        said += out.split("\n")
        if process.returncode == 0:
            return [line.split() for line in said if line], crashes
        assert process.returncode == -9
        crashes += 1
        assert crashes <= 20, "the poison event was never isolated"


@pytest.mark.parametrize("ordering", ["none", "partition"])
def test_five_crashes_find_one_poison_event_of_500(ordering):
    group = make_lease_group(max_failures=5, ordering=ordering)
    produce(group, 500)

    said, crashes = consume_until_done(group, poison=[321])

    assert crashes == 5
    assert dead(group) == [(321, "max_failures")]
    assert {int(offset) for verb, offset in said if verb == "did"} == set(range(1, 501)) - {321}
    assert (states(group), committed(group)) == ([], 500)
    expiries = DeliveryHistory.objects.filter(outcome="expired").order_by("id")
    assert [row.last_offset - row.first_offset + 1 for row in expiries] == [500, 100, 20, 4, 1]


def test_two_poison_events_side_by_side_are_two_dead_letters():
    group = make_lease_group(max_failures=3)
    produce(group, 60)

    said, crashes = consume_until_done(group, poison=[30, 31], max_events=60)

    assert dead(group) == [(30, "max_failures"), (31, "max_failures")]
    assert {int(offset) for verb, offset in said if verb == "did"} == set(range(1, 61)) - {30, 31}
    assert (states(group), committed(group)) == ([], 60)
    assert crashes <= 6


def test_a_group_that_allows_one_failure_still_proves_it_alone():
    group = make_lease_group(max_failures=1)
    produce(group, 20)

    said, crashes = consume_until_done(group, poison=[7])

    # Twenty, two, one: each crash cuts what is under suspicion to a tenth.
    assert crashes == 3
    assert dead(group) == [(7, "max_failures")]
    assert {int(offset) for verb, offset in said if verb == "did"} == set(range(1, 21)) - {7}
