"""A page of a list that has become shorter says so, and leads back, instead of saying that there is nothing at all."""

import pytest
from django.test import Client

from accounts.roles import Role
from tests.factories import make_dead_letter, make_group, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.mark.parametrize(
    ("address", "after"),
    [
        ("/streams", "zzz"),
        ("/streams?name=ord", "zzz"),
        ("/consumer-groups", "zzz/zzz"),
        ("/streams/orders/consumer-groups", "zzz"),
        ("/dead-letters", "1"),
        ("/dead-letters?stream=orders", "1"),
        ("/users", "zzz"),
    ],
)
def test_a_page_that_the_list_ends_before_leads_to_the_first_one(address, after):
    owner = make_user(*Role)
    make_dead_letter(make_group(make_stream("orders", owner=owner), "shipping", mode="lease", owner=owner))
    client = Client()
    client.force_login(owner)

    page = client.get(f"{address}{'&' if '?' in address else '?'}after={after}").content.decode()

    assert "The list ends before this page" in page
    assert f'href="{address}">To the first page</a>' in page
    assert page.count('class="empty ') == 1
