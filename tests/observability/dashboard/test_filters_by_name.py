"""Names are in lower case: a filter finds them however it is typed, as a phone's keyboard begins with a capital."""

import pytest
from django.test import Client

from tests.factories import make_group, make_owner, make_stream

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
