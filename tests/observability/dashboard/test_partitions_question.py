"""The settings page of a stream: adding partitions says what that changes, and asks for the name."""

import pytest
from django.test import Client

from accounts.models import User
from streams.models import Partition, Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream

pytestmark = pytest.mark.usefixtures("db_with_commits")

PAGE = "/streams/orders/settings"
HTMX = {"HX-Request": "true"}
TYPED = {"description": "wide", "visibility": "internal", "age_unit": "days", "partitions": "4"}
ANSWER = {"asked_about": "- - - 4", "confirm": "orders"}


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    stream = make_stream("orders", owner=owner, partitions=2, retention_max_age_seconds=None)
    make_group(stream, "billing")
    events = [{"key": str(number), "payload": number} for number in range(40)]
    assert ApiClient(key=make_key(owner)).post("/streams/orders/events", events).status_code == 202
    return owner


@pytest.fixture
def client(owner: User) -> Client:
    client = Client()
    client.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return client


def saved() -> tuple[int, int, str]:
    stream = Stream.objects.get()
    return stream.partition_count, Partition.objects.count(), stream.description


def words(answer) -> str:
    return " ".join(answer.content.decode().split())


def test_the_page_shows_how_many_there_are(client):
    assert 'name="partitions" type="number" value="2" min="2"' in words(client.get(PAGE))


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["page", "script"])
def test_it_says_what_changes_asks_for_the_name_and_then_saves(client, headers):
    asked = client.post(PAGE, TYPED, headers=headers)
    page = words(asked)
    assert asked.status_code == 422
    assert "2 → 4" in page
    assert "2 partitions become 4, for good: none can be taken away again." in page
    assert "About 50 % of all keys go to another partition" in page
    assert '<bdi class="mono">billing</bdi> begins the new partitions at their first event.' in page
    assert 'name="confirm"' in page
    assert "Save and add partitions" in page
    assert "go at once" not in page
    assert saved() == (2, 2, "")

    done = client.post(PAGE, TYPED | ANSWER, headers=headers)
    assert done.status_code == (200 if headers else 302)
    assert saved() == (4, 4, "wide")


@pytest.mark.parametrize("answer", ["", "order"])
def test_another_name_saves_nothing_and_is_told(client, answer):
    refused = client.post(PAGE, TYPED | ANSWER | {"confirm": answer})
    assert "Type orders to confirm, or leave 2 partitions." in words(refused)
    assert saved() == (2, 2, "")


def test_a_name_that_was_typed_for_other_partitions_or_limits_is_asked_for_again(client):
    for other in ({"partitions": "5"}, {"max_events": "1000"}):
        refused = client.post(PAGE, TYPED | ANSWER | other)
        assert refused.status_code == 422
        assert 'value="orders"' not in words(refused)
    assert saved() == (2, 2, "")


def test_what_smaller_shares_of_a_limit_delete_is_asked_in_the_same_breath(client, owner):
    limits = TYPED | {"partitions": "2", "max_events": "40"}
    assert client.post(PAGE, limits).status_code == 302
    more = [{"key": str(number), "payload": number} for number in range(40)]
    ApiClient(key=make_key(owner)).post("/streams/orders/events", more)
    page = words(client.post(PAGE, limits | {"partitions": "8"}))
    assert "events go at once with this retention" in page
    assert "Limits by size and count are shared out among more partitions, so each keeps less." in page
    assert "Save, delete and add partitions" in page


def test_of_one_partition_it_warns_who_reads_by_one_number(client, owner):
    make_stream("single", owner=owner)
    page = words(client.post("/streams/single/settings", TYPED | {"partitions": "2"}))
    assert "1 partition becomes 2, for good" in page
    assert "Nothing was ever appended: no key has been anywhere yet." in page
    assert "Who reads or commits by one number, without a partition, or appends with" in page


@pytest.mark.parametrize(
    ("count", "told"),
    [("1", "partitions can only be added"), ("", "may not be null"), ("many", "number"), ("257", "256")],
)
def test_what_cannot_be_is_told_at_the_form_and_nothing_is_asked(client, count, told):
    refused = client.post(PAGE, TYPED | {"partitions": count})
    assert refused.status_code == 422
    assert told in words(refused)
    assert 'name="confirm"' not in words(refused)
    assert saved() == (2, 2, "")


def test_a_page_from_before_they_could_be_added_leaves_them(client):
    typed = {name: value for name, value in TYPED.items() if name != "partitions"}
    assert client.post(PAGE, typed).status_code == 302
    assert saved() == (2, 2, "wide")
