"""Names are in lower case: a filter finds them however it is typed, as a phone's keyboard begins with a capital."""

import pytest
from django.test import Client

from tests.client import ApiClient
from tests.factories import make_dead_letter, make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.mark.parametrize("address", ["/streams?name=Ord", "/streams?by=size&name=Ord", "/consumer-groups?name=Ord"])
def test_a_capital_does_not_hide_a_name(address):
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing")
    make_stream("invoices", owner=owner)
    client = Client()
    client.force_login(owner)

    page = client.get(address).content.decode()

    assert 'href="/streams/orders' in page
    assert 'href="/streams/invoices"' not in page
    assert 'value="Ord"' in page


@pytest.mark.parametrize("address", ["/dead-letters?stream=Orders&group=Billing", "/audit?stream=Orders&group=Billing"])
def test_nor_from_a_filter_by_the_whole_name(address):
    owner = make_owner()
    group = make_group(make_stream("orders", owner=owner), "billing", owner=owner)
    make_dead_letter(group)
    changed = ApiClient(key=make_key(owner)).patch("/streams/orders/consumer-groups/billing", {"paused": True})
    assert changed.status_code == 200
    client = Client()
    client.force_login(owner)

    page = client.get(address).content.decode()

    assert "orders 0/1" in page or "group.changed" in page.rpartition("</form>")[2]


def test_nor_in_the_place_of_an_event():
    owner = make_owner()
    make_stream("orders", owner=owner)
    ApiClient(key=make_key(owner)).post("/events", {"stream": "orders", "payload": 1})
    client = Client()
    client.force_login(owner)
    assert client.get("/find", {"q": "Orders/0/1"})["Location"] == "/streams/orders/events/0/1"
