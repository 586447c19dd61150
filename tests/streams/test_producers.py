"""GET /producers: who produces with what, in an answer that stays small however much somebody has."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import ApiKey
from accounts.roles import Role
from streams import queries
from streams.conf import MAX_LISTED
from streams.models import Partition, Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def many_streams(owner, count: int) -> None:
    made = Stream.objects.bulk_create(Stream(name=f"s-{number:04}", owner=owner) for number in range(count))
    Partition.objects.bulk_create(Partition(stream=each, number=0) for each in made)


def many_keys(owner, count: int) -> None:
    now = timezone.now()
    ApiKey.objects.bulk_create(
        ApiKey(key_id=f"k{number:011}", name=f"key {number}", user=owner, prefix="evf_live_", secret_hash=bytes(32),
               scopes=["produce"], created_at=now + timedelta(seconds=number), revoked_at=now if number % 2 else None)
        for number in range(count)
    )  # fmt: skip


def test_of_many_keys_and_streams_the_first_are_listed_and_all_are_counted():
    owner, other = make_owner(), make_owner()
    many_streams(owner, MAX_LISTED + 5)
    many_keys(owner, MAX_LISTED + 5)
    make_stream("theirs", owner=other)
    make_key(other)
    listed = {
        each["email"]: each
        for each in ApiClient(token=make_token(make_user(Role.ADMIN))).get("/producers").json()["data"]
    }
    mine, theirs = listed[owner.email], listed[other.email]
    assert [each["name"] for each in mine["streams"]] == [f"s-{number:04}" for number in range(MAX_LISTED)]
    newest = range(MAX_LISTED + 4, 4, -1)
    assert [each["name"] for each in mine["api_keys"]] == [f"key {number}" for number in newest]
    assert (mine["stream_count"], mine["api_key_count"]) == (MAX_LISTED + 5, MAX_LISTED + 5)
    assert ([each["name"] for each in theirs["streams"]], theirs["stream_count"]) == (["theirs"], 1)
    assert (len(theirs["api_keys"]), theirs["api_key_count"]) == (1, 1)


def test_who_has_nothing_has_none():
    listed = ApiClient(token=make_token(make_owner())).get("/producers").json()["data"]
    assert [(each["streams"], each["stream_count"], each["api_key_count"]) for each in listed] == [([], 0, 0)]


def test_what_is_not_listed_is_not_loaded(monkeypatch):
    owner = make_owner()
    many_streams(owner, MAX_LISTED + 50)
    seen: list[int] = []
    load = queries.totals_of
    monkeypatch.setattr(queries, "totals_of", lambda streams: seen.append(len(streams)) or load(streams))
    client = ApiClient(token=make_token(owner))
    client.get("/producers")
    assert seen == [MAX_LISTED]


def test_the_page_says_how_many_more_there_are_and_counts_the_keys_that_are_not_revoked():
    owner = make_owner()
    many_streams(owner, 25)
    many_keys(owner, 4)
    browser = Client()
    browser.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    page = browser.get("/keys").content.decode()
    assert "and 5 more" in page
    assert ">s-0019<" in page
    assert ">s-0020<" not in page
    assert '<td class="num">2<span class="phone-inline"> keys</span></td>' in page
