"""The page of keys and producers: all of them can be reached, page by page, and what works comes first."""

import re
from datetime import timedelta
from itertools import chain

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey
from accounts.roles import Role
from accounts.services.api_keys import revoke_api_key
from tests.factories import make_key, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
KEYS = 60
PER_PAGE = 50
PRODUCERS_PER_PAGE = 20


@pytest.fixture
def ada():
    return make_user(Role.PRODUCER, email="ada@example.com")


def browser_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def section(client, url, name):
    page = client.get(url).content.decode()
    found = re.search(rf'<section class="card" aria-labelledby="{name}-title">.*?</section>', page, re.DOTALL)
    assert found is not None, page
    return found[0]


def next_of(text):
    found = re.search(r'href="([^"]*)">Next page<', text)
    return None if found is None else found[1].replace("&amp;", "&")


def all_pages(client, name, pattern):
    """What is listed, a list for each page."""
    pages, url = [], "/keys"
    while url and len(pages) < 5:
        text = section(client, url, name)
        pages.append(re.findall(pattern, text))
        url = next_of(text)
    return pages


def test_every_key_is_on_one_page_and_those_that_work_come_first(ada):
    for number in range(KEYS):
        make_key(ada, name=f"key-{number:02d}")
    # The newest of all has ended, and one in between.
    for name in ("key-59", "key-30"):
        revoke_api_key(key=ApiKey.objects.get(name=name), now=timezone.now())

    pages = all_pages(browser_of(ada), "keys", r">(key-\d\d)<")

    usable = [f"key-{number:02d}" for number in reversed(range(KEYS)) if number not in (59, 30)]
    assert [len(page) for page in pages] == [PER_PAGE, KEYS - PER_PAGE]
    assert list(chain(*pages)) == [*usable, "key-59", "key-30"]


def test_a_key_that_expires_soon_is_told_of_whatever_page_it_is_on(ada):
    for number in range(KEYS):
        make_key(ada, name=f"key-{number:02d}")
    ApiKey.objects.filter(name="key-00").update(expires_at=timezone.now() + timedelta(days=2))

    first_page = browser_of(ada).get("/keys").content.decode()

    assert "1 key will expire within a week" in first_page
    assert first_page.count("key-00") == 1


def test_every_producer_is_on_one_page_and_the_keys_stay_where_they_are():
    admin = make_user(Role.ADMIN, email="zoe@example.com")
    make_key(admin, name="hers")
    emails = [make_user(Role.PRODUCER, email=f"p{number:02d}@example.com").email for number in range(30)]

    client = browser_of(admin)
    pages = all_pages(client, "producers", r'cell-sub">([^<]*@example.com)<')

    assert [len(page) for page in pages] == [PRODUCERS_PER_PAGE, 31 - PRODUCERS_PER_PAGE]
    assert list(chain(*pages)) == [*emails, admin.email]
    assert "hers" in section(client, next_of(section(client, "/keys", "producers")), "keys")


@pytest.mark.parametrize("place", ["", "x", "2-1-a", "0-", "0-1-a\x00", "0-" + "9" * 40 + "-a", "0-9999999999999999-a"])
def test_a_place_that_is_none_begins_at_the_beginning(ada, place):
    make_key(ada, name="only")
    answer = browser_of(ada).get("/keys", {"after": place})
    assert answer.status_code == 200
    assert "only" in answer.content.decode()
