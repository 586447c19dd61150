"""Leasing from the browser: what a person holds is on the page again after a reload, and a look is no member."""

import re

import pytest
from django.test import Client

from accounts.roles import Role
from accounts.waits import run_blocking
from consumers.models import ConsumerGroup, Delivery, GroupMember, GroupOffset
from consumers.services.leasing import expire_leases
from consumers.services.members import note_member_async
from tests.consumers.leases import dead, let_expire, produce, states
from tests.factories import make_group, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = "/streams/orders/consumer-groups/shipping"
PAGE = f"{GROUP}/consume"


@pytest.fixture
def owner():
    return make_user(Role.PRODUCER, Role.CONSUMER, email="ada@example.com")


@pytest.fixture
def group(owner) -> ConsumerGroup:
    group = make_group(make_stream("orders", owner=owner), "shipping", mode="lease", backoff_seconds=(0,))
    produce(group, 10)
    return group


def browser(user) -> Client:
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def ada(owner, group) -> Client:
    return browser(owner)


def lease(client: Client, max_events: int = 5) -> None:
    assert client.post(f"{PAGE}/lease", {"max_events": str(max_events)}).status_code == 200


def form_of(page: str) -> dict[str, str]:
    """What the form of the one delivery on the page sends."""
    (delivery,) = re.findall(r'name="delivery_id" value="(\d+)"', page)
    (token,) = re.findall(r'name="lease_token" value="([0-9a-f-]+)"', page)
    return {"delivery_id": delivery, "lease_token": token}


def text_of(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_page_that_is_loaded_again_shows_what_is_held_and_ends_it(ada, group):
    lease(ada)
    page = text_of(ada)
    assert "Delivery " in page
    assert '"n": 3' in page or "&quot;n&quot;:3" in page
    assert "data-held-left" in page

    ended = ada.post(f"{PAGE}/end", {**form_of(page), "verb": "ack"})

    assert ended.status_code == 302
    assert GroupOffset.objects.get(group=group).committed_offset == 5
    assert 'name="lease_token"' not in text_of(ada)


def test_what_is_held_is_released_without_a_failure(ada, group):
    lease(ada)
    ada.post(f"{PAGE}/end", {**form_of(text_of(ada)), "verb": "release"})

    assert states(group) == [(1, 5, "waiting")]
    assert Delivery.objects.get().failure_count == 0


def test_all_that_is_held_is_given_back_at_once_and_nobody_elses(ada, group):
    mate = make_user(Role.CONSUMER)
    group.grants.create(user=mate, rights=["use"])
    mates = browser(mate)
    lease(ada, 1)
    lease(mates, 1)
    lease(ada, 1)

    answer = ada.post(f"{PAGE}/release-held", headers={"HX-Request": "true"})

    assert answer.status_code == 200
    assert "2 deliveries" in answer["HX-Trigger"]
    assert states(group) == [(1, 1, "waiting"), (2, 2, "leased"), (3, 3, "waiting")]
    assert "lease_token" not in text_of(ada)
    assert form_of(text_of(mates))


def test_what_was_taken_in_another_browser_is_shown_as_such(ada, owner, group):
    lease(ada)
    assert "taken in another browser" not in text_of(ada)
    elsewhere = browser(owner)
    session = elsewhere.session
    session["session_id"] = "another"
    session.save()
    assert "taken in another browser" in text_of(elsewhere)


def test_nobody_elses_token_is_on_the_page(ada, group):
    mate = make_user(Role.CONSUMER)
    group.grants.create(user=mate, rights=["use"])
    lease(ada)
    token = str(Delivery.objects.get().lease_token)
    assert token in text_of(ada)
    assert token not in text_of(browser(mate))
    assert token not in text_of(ada, GROUP)


def test_a_lease_that_ran_out_is_told_so_and_offers_nothing(ada, group):
    lease(ada)
    let_expire(group)

    page = text_of(ada)

    assert "Your lease ran out" in page
    assert "lease_token" not in page


def test_a_closed_tab_makes_no_dead_letter(ada, group):
    ConsumerGroup.objects.update(max_failures=1)
    for _ in range(3):
        lease(ada, 1)
        let_expire(group)
        expire_leases(group=group)

    assert dead(group) == []


def test_a_person_is_named_and_no_session(ada, group):
    lease(ada)
    page = text_of(ada, GROUP)
    assert "ada@example.com in the browser" in page
    assert "browser:" not in page


def test_whoever_looks_is_no_member_and_a_silent_group_stays_silent(ada, owner, group):
    make_group(group.stream, "billing")
    for address in (PAGE, GROUP, "/streams/orders/consumer-groups/billing/consume", "/streams/orders/tail"):
        text_of(ada, address)
    lease(ada)
    ada.post(f"{PAGE}/release-held")

    assert not GroupMember.objects.exists()
    run_blocking(note_member_async(group_id=group.pk, name="worker"))
    seen = GroupMember.objects.get().last_seen_at
    lease(ada)
    assert GroupMember.objects.get().last_seen_at == seen


@pytest.mark.parametrize(
    ("count", "told"), [(1, "1 event waits for its next attempt."), (2, "2 events wait for their")]
)
def test_where_nothing_is_to_be_had_it_is_said_what_waits(ada, group, count, told):
    ConsumerGroup.objects.update(backoff_seconds=[3600])
    for _ in range(count):
        lease(ada, 1)
        ada.post(f"{PAGE}/end", form_of(text_of(ada)) | {"verb": "nack", "error": "no"})
    lease(ada, 20)
    ada.post(f"{PAGE}/end", form_of(text_of(ada)) | {"verb": "ack"})
    answer = ada.post(f"{PAGE}/lease", {"max_events": "5"}, headers={"HX-Request": "true"})
    assert told in answer["HX-Trigger"]


def test_enter_in_the_field_of_what_went_wrong_is_the_nack_that_it_is_for(ada):
    lease(ada)
    form = (
        text_of(ada).split('action="/streams/orders/consumer-groups/shipping/consume/end"', 1)[1].split("</form>", 1)[0]
    )
    # A browser takes the first button for the one that was pressed.
    assert re.findall(r'name="verb"\s+value="(\w+)"', form)[0] == "nack"
