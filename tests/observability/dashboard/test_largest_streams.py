"""The list of streams by the room that they take: where to begin when the disk fills up."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.roles import Role
from streams.models import Partition
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GIB = 2**30


def streams_page(query, browser=None):
    if browser is None:
        browser = Client()
        browser.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")
    page = " ".join(browser.get(f"/streams{query}").content.decode().split())
    return re.findall(r'<a class="anywhere" href="/streams/([\w-]+)">', page), page


def make_sizes():
    for name, sizes in (("a-small", [10]), ("b-large", [3 * GIB, 2 * GIB]), ("c-middle", [4 * GIB])):
        stream = make_stream(name, partitions=len(sizes))
        for number, size in enumerate(sizes):
            Partition.objects.filter(stream=stream, number=number).update(stored_bytes=size)


def test_streams_are_listed_by_name_or_the_largest_first():
    make_sizes()
    assert streams_page("")[0] == ["a-small", "b-large", "c-middle"]
    names, page = streams_page("?by=size")
    assert names == ["b-large", "c-middle", "a-small"]
    assert "5 GiB" in page
    assert streams_page("?by=size&name=-l")[0] == ["b-large"]


def test_the_largest_are_one_page(monkeypatch):
    monkeypatch.setattr("observability.dashboard.pages.streams.PAGE_ROWS", 2)
    make_sizes()
    names, page = streams_page("?by=size")
    assert names == ["b-large", "c-middle"]
    assert "Next page" not in page
    assert "The 2 largest streams." in page


def test_the_list_by_size_asks_no_more_when_there_is_more():
    browser = Client()
    browser.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            streams_page("?by=size", browser)
        return len(captured)

    make_sizes()
    queries()
    few = queries()
    for _ in range(8):
        make_stream(partitions=3)
    assert queries() == few <= 12
