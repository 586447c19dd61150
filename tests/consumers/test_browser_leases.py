"""What a person leases from the dashboard is found again as theirs, and is no failure when they close the tab."""

import pytest

from consumers.browser_leases import browser_consumer, held_by, is_browser, person_of
from consumers.conf import MAX_CONSUMER_CHARACTERS
from consumers.models import Delivery, DeliveryHistory, GroupOffset
from consumers.services.leasing import expire_leases, list_held_in_browsers
from consumers.services.reconcile import reconcile_deliveries
from tests.client import ApiClient
from tests.consumers.leases import ack, dead, info, lease, lease_one, let_expire, make_lease_group, offsets, produce
from tests.factories import make_group, make_key, make_owner, make_stream

ADA = browser_consumer(user_id=12, session="secret-1", email="ada@example.com")
ADA_ELSEWHERE = browser_consumer(user_id=12, session="secret-2", email="ada@example.com")
BOB = browser_consumer(user_id=1, session="secret-3", email="bob@example.com")


def held(group, user_id: int = 12):
    return list_held_in_browsers(stream=info(group), group=group, user_id=user_id, max_bytes=1_000_000)


def test_a_name_says_whose_it_is_and_gives_no_session_away():
    assert ADA.startswith(held_by(12))
    assert not ADA.startswith(held_by(1))
    assert ADA != ADA_ELSEWHERE
    assert "secret" not in ADA
    assert is_browser(ADA)
    assert person_of(ADA) == "ada@example.com"
    assert not is_browser("user:12")
    assert person_of("worker:1:2:3") == ""


def test_a_name_fits_however_long_the_address_is():
    name = browser_consumer(user_id=2**62, session="s", email="a" * 240 + "@example.com")
    assert len(name) == MAX_CONSUMER_CHARACTERS
    assert name.startswith(held_by(2**62))


@pytest.mark.usefixtures("db_with_commits")
def test_what_a_person_holds_is_found_in_whichever_browser_it_was_taken():
    group = make_lease_group()
    produce(group, 10)
    first = lease_one(group, 2, consumer=ADA, ack_wait_seconds=600)
    second = lease_one(group, 1, consumer=ADA_ELSEWHERE, ack_wait_seconds=60)
    lease_one(group, 2, consumer=BOB)
    lease_one(group, 2, consumer="worker")
    lease_one(group, 1, consumer="ada@example.com")
    other = make_lease_group(stream=group.stream)
    lease_one(other, 2, consumer=ADA)

    found = held(group)

    assert [each.id for each in found] == [second.id, first.id]
    assert [offsets([each]) for each in found] == [[3], [1, 2]]
    assert [each.token for each in found] == [second.token, first.token]
    assert 0 < found[0].left_seconds <= 60 < found[1].left_seconds
    assert ack(group, found[1]) == ["acked"]
    assert [each.id for each in held(group)] == [second.id]


@pytest.mark.usefixtures("db_with_commits")
def test_what_a_person_left_behind_goes_back_as_it_was_and_a_programs_lease_counts_as_a_failure():
    group = make_lease_group(max_failures=2)
    produce(group, 10)
    lease_one(group, 5, consumer=ADA)
    lease_one(group, 5, consumer="worker")
    let_expire(group)

    assert expire_leases(group=group) == 2

    mine, theirs = Delivery.objects.filter(first_offset=1).get(), Delivery.objects.filter(first_offset__gt=5).first()
    assert (mine.state, mine.first_offset, mine.last_offset, mine.failure_count) == ("waiting", 1, 5, 0)
    assert (mine.is_alone, mine.last_error, mine.last_failed_at) == (False, "", None)
    assert theirs is not None
    assert (mine.suspect_limit, theirs.suspect_limit) == (0, 1)
    assert theirs.last_error.startswith("The lease expired")
    told = DeliveryHistory.objects.get(first_offset=1)
    assert (told.outcome, told.consumer, told.failure_count, told.error) == ("expired", ADA, 0, "")
    # Of the ten, those that a program held.
    assert GroupOffset.objects.get(group=group).failed_count == 5


@pytest.mark.usefixtures("db_with_commits")
def test_looking_and_leaving_again_and_again_makes_no_dead_letter():
    group = make_lease_group(max_failures=2)
    produce(group, 1)
    for _ in range(5):
        assert offsets(lease(group, consumer=ADA).deliveries) == [1]
        let_expire(group)
        reconcile_deliveries()

    assert dead(group) == []
    # The consumer that comes then gets it as if nobody had looked.
    delivery = lease_one(group)
    assert (delivery.failure_count, delivery.delivery_count) == (0, 6)


@pytest.mark.usefixtures("db_with_commits")
def test_a_lease_that_ran_out_is_told_as_such_until_it_is_taken_back():
    group = make_lease_group()
    produce(group, 1)
    lease_one(group, consumer=ADA)
    let_expire(group)

    (mine,) = held(group)
    assert mine.left_seconds <= 0
    expire_leases(group=group)
    assert held(group) == []


@pytest.mark.usefixtures("db_with_commits")
def test_a_program_cannot_take_the_name_of_a_person():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "shipping", mode="lease")

    answer = ApiClient(key=make_key(owner)).post("/streams/orders/consumer-groups/shipping/lease", {"consumer": ADA})

    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/consumer", "reserved")
