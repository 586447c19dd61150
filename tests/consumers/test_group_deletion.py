"""Deleting a group asks for its name, and says how many open dead letters go with it."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.roles import Right, Role
from consumers.models import ConsumerGroup
from tests.client import ApiClient
from tests.factories import make_dead_letter, make_group, make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.mark.parametrize("query", ["", "?confirm=orders"])
def test_without_its_name_nothing_goes_and_the_answer_says_what_would(query):
    maker = make_user(Role.CONSUMER)
    group = make_group(make_stream("orders", owner=make_owner()), "shipping", owner=maker, mode="lease")
    make_dead_letter(group)
    client = ApiClient(key=make_key(maker, Right.CONSUME))
    answer = client.delete(f"{GROUP}{query}")
    assert (answer.status_code, answer.json()["code"]) == (422, "confirmation_missing")
    assert answer.json()["detail"] == (
        "This deletes its offsets and 1 open dead letter. Confirm with ?confirm=shipping."
    )
    assert ConsumerGroup.objects.filter(pk=group.pk).exists()
    assert client.delete(f"{GROUP}?confirm=shipping").status_code == 204
    assert not ConsumerGroup.objects.filter(pk=group.pk).exists()


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return browser


def test_the_dashboard_asks_for_the_name_too_and_says_how_many_go():
    owner = make_owner()
    make_dead_letter(make_group(make_stream("orders", owner=owner), "shipping", mode="lease"))
    browser = browser_of(owner)
    dialog = browser.get(f"{GROUP}/delete").content.decode()
    assert "1 open dead letter" in dialog
    assert 'name="confirm"' in dialog

    assert browser.post(f"{GROUP}/delete", {"confirm": "shiping"}).status_code == 422
    assert ConsumerGroup.objects.exists()
    assert browser.post(f"{GROUP}/delete", {"confirm": "shipping"}).status_code == 302
    assert not ConsumerGroup.objects.exists()


def test_the_admin_says_how_many_go():
    group = make_group(make_stream("orders", owner=make_owner()), "shipping", mode="lease")
    make_dead_letter(group)
    browser = browser_of(make_user(Role.ADMIN))
    address = reverse("admin:consumers_consumergroup_delete", args=[group.pk])
    assert "(1 open)" in browser.get(address).content.decode()
    assert browser.post(address, {"post": "yes"}).status_code == 302
    assert not ConsumerGroup.objects.exists()
