"""Lease mode in the admin: deliveries to look at, dead letters to act on, after a page that says how many."""

import pytest
from django.test import Client

from accounts.roles import Role
from consumers.admin import dead_letters
from consumers.models import BulkAction, ConsumerGroup, DeadLetter, Delivery
from consumers.services.reconcile import reconcile_deliveries
from tests.consumers.leases import lease, lease_one, make_lease_group, nack, produce
from tests.factories import make_dead_letter, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>{{7*7}}\u202e'


@pytest.fixture
def admin():
    client = Client()
    client.force_login(
        make_user(Role.ADMIN, email="root@example.com"), backend="django.contrib.auth.backends.ModelBackend"
    )
    return client


@pytest.fixture
def group():
    group = make_lease_group()
    produce(group, 3)
    nack(group, lease_one(group, consumer=HOSTILE[:100]), error=HOSTILE, is_terminal=True)
    reconcile_deliveries()
    return group


def test_deliveries_are_shown_and_cannot_be_touched(admin):
    group = make_lease_group()
    produce(group, 3)
    delivery = lease_one(group, consumer=HOSTILE[:100])

    page = admin.get("/admin/consumers/delivery/")
    one = admin.get(f"/admin/consumers/delivery/{delivery.id}/change/")

    assert (page.status_code, one.status_code) == (200, 200)
    for answer in (page, one):
        assert b"<script>alert(1)" not in answer.content
        assert str(delivery.token).encode() not in answer.content
    assert admin.get("/admin/consumers/delivery/add/").status_code == 403
    assert admin.post(f"/admin/consumers/delivery/{delivery.id}/delete/", {"post": "yes"}).status_code == 403
    assert Delivery.objects.filter(pk=delivery.id).exists()


def test_a_dead_letter_shows_its_event_and_attempts_as_text(admin, group):
    letter = DeadLetter.objects.get(offset=2)
    page = admin.get("/admin/consumers/deadletter/", {"status__exact": "open"})
    one = admin.get(f"/admin/consumers/deadletter/{letter.pk}/change/")

    assert (page.status_code, one.status_code) == (200, 200)
    assert b"&quot;n&quot;:2" in one.content
    for answer in (page, one):
        assert b"<script>alert(1)" not in answer.content
        assert b"<img src=x" not in answer.content


@pytest.mark.parametrize(("action", "status"), [("redrive", "redriven"), ("discard", "discarded")])
def test_an_action_asks_with_the_count_and_then_acts_once(admin, group, action, status):
    ids = list(DeadLetter.objects.values_list("pk", flat=True))
    form = {"action": action, "_selected_action": [str(pk) for pk in ids]}

    asked = admin.post("/admin/consumers/deadletter/", form)
    assert asked.status_code == 200
    assert b"3 of 3 chosen" in asked.content
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {"open"}

    for _ in range(2):
        done = admin.post("/admin/consumers/deadletter/", form | {"confirmed": "yes", "note": "by hand"})
        assert done.status_code == 302
    assert set(DeadLetter.objects.values_list("status", flat=True)) == {status}
    first, second = BulkAction.objects.order_by("pk")
    assert (first.done_count, first.note, second.total_count) == (3, "by hand", 0)
    assert sum(len(each.events) for each in lease(group).deliveries) == (3 if action == "redrive" else 0)
    assert b"None of the 3 chosen" in admin.post("/admin/consumers/deadletter/", form).content


def test_dead_letters_are_searched_by_text_and_it_is_said_how_far(admin, group, monkeypatch):
    make_dead_letter(group, 40, last_error="no Çelik")
    make_dead_letter(group, 41, last_error="else")
    found = admin.get("/admin/consumers/deadletter/", {"q": "çELIK"})
    assert list(found.context["cl"].result_list.values_list("offset", flat=True)) == [40]
    assert b"were looked at" not in found.content

    monkeypatch.setattr(dead_letters, "SEARCH_DEAD_LETTERS", 1)
    found = admin.get("/admin/consumers/deadletter/", {"q": "çELIK"})
    assert list(found.context["cl"].result_list) == []
    assert b"the newest 1 were looked at" in found.content


def test_a_group_is_paused_resumed_and_deleted_through_the_rules(admin, group):
    form = {"_selected_action": [str(group.pk)]}
    admin.post("/admin/consumers/consumergroup/", form | {"action": "pause"})
    assert lease(group).deliveries == []
    assert ConsumerGroup.objects.get().is_paused
    admin.post("/admin/consumers/consumergroup/", form | {"action": "resume"})
    assert not ConsumerGroup.objects.get().is_paused
    assert admin.get(f"/admin/consumers/consumergroup/{group.pk}/delete/").status_code == 200
    assert admin.post(f"/admin/consumers/consumergroup/{group.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not ConsumerGroup.objects.exists()
    assert not DeadLetter.objects.exists()


def test_who_is_no_admin_sees_none_of_it(group):
    client = Client()
    client.force_login(make_user(Role.CONSUMER), backend="django.contrib.auth.backends.ModelBackend")
    for path in ("delivery", "deadletter", "bulkaction"):
        assert client.get(f"/admin/consumers/{path}/").status_code == 302
