"""What one owner may have at most, where the installation says so; without quotas nothing is counted."""

import pytest

from accounts.roles import Right, Role
from accounts.services.api_keys import create_api_key
from streams.lookup import forget_streams
from streams.models import Partition, Stream
from streams.services.lifecycle import StreamSettings
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_team, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def client(owner) -> ApiClient:
    return ApiClient(token=make_token(owner))


def allow(settings, **quotas: int) -> None:
    settings.QUOTAS = {**settings.QUOTAS, **quotas}


def refused(answer) -> str:
    assert answer.status_code == 507, answer.content
    problem = answer.json()
    assert (problem["code"], problem["retryable"]) == ("quota_exceeded", False)
    return str(problem["quota"])


def test_streams_of_one_owner_and_not_of_another(settings, owner, client):
    allow(settings, streams=2)
    for name in ("a", "b"):
        assert client.post("/streams", {"name": name}).status_code == 201
    assert refused(client.post("/streams", {"name": "c"})) == "streams"
    assert not Stream.objects.filter(name="c").exists()
    assert ApiClient(token=make_token(make_owner())).post("/streams", {"name": "c"}).status_code == 201
    # A team is an owner of its own, and what goes makes room.
    make_team("t", owner)
    assert client.post("/streams", {"name": "d", "owner": "t"}).status_code == 201
    assert client.delete("/streams/a?confirm=a").status_code == 204
    assert client.post("/streams", {"name": "e"}).status_code == 201


def test_partitions_of_all_streams_together(settings, client):
    allow(settings, partitions=5)
    assert client.post("/streams", {"name": "a", "partitions": 3}).status_code == 201
    assert refused(client.post("/streams", {"name": "b", "partitions": 3})) == "partitions"
    assert client.post("/streams", {"name": "b", "partitions": 2}).status_code == 201


def test_groups_of_one_owner_and_an_equal_one_is_no_more(settings, owner, client):
    stream = make_stream("orders", owner=owner)
    make_group(stream, "theirs", owner=make_user(Role.CONSUMER))
    allow(settings, groups=1)
    groups = "/streams/orders/consumer-groups"
    assert client.post(groups, {"name": "a"}).status_code == 201
    assert client.post(groups, {"name": "a"}).status_code == 200
    assert refused(client.post(groups, {"name": "b"})) == "groups"


def test_keys_that_work(settings, owner, client):
    allow(settings, keys=1)
    body = {"name": "k", "scopes": ["produce"]}
    first = client.post("/api-keys", body)
    assert first.status_code == 201
    assert refused(client.post("/api-keys", body)) == "keys"
    # A successor takes the place of the old one.
    successor = client.post(f"/api-keys/{first.json()['id']}/rotate", {})
    assert successor.status_code == 201
    assert client.delete(f"/api-keys/{successor.json()['id']}").status_code == 204
    assert create_api_key(user=owner, name="k", scopes=[Right.PRODUCE]).secret


def test_what_is_stored_is_refused_before_it_is_stored_until_there_is_room(settings, owner):
    allow(settings, stored_mib=1)
    make_stream("orders", owner=owner)
    other = make_stream("other", owner=owner)
    key = ApiClient(key=make_key(owner))
    event = {"stream": "orders", "payload": 1}
    assert key.post("/events", event).status_code == 202
    Partition.objects.filter(stream=other).update(stored_bytes=2**20)
    forget_streams()
    assert refused(key.post("/events", event)) == "stored_mib"
    assert key.get("/streams/orders/events").status_code == 200
    assert Partition.objects.get(stream__name="orders").head_offset == 1
    Partition.objects.filter(stream=other).update(stored_bytes=0)
    forget_streams()
    assert key.post("/events", event).status_code == 202


def test_without_quotas_nothing_is_counted(client, django_assert_max_num_queries):
    client.get("/streams")
    with django_assert_max_num_queries(14) as asked:
        assert client.post("/streams", {"name": "a"}).status_code == 201
    assert not [each for each in asked.captured_queries if "COUNT" in each["sql"] or "SUM" in each["sql"]]


# --- the default retention -------------------------------------------------------------------------------


def test_a_stream_that_is_made_without_a_retention_has_the_installations(settings, client):
    settings.DEFAULT_RETENTION_DAYS = 30
    month = 30 * 86_400
    assert client.post("/streams", {"name": "a"}).json()["retention"]["max_age"] == month
    assert StreamSettings().retention_max_age_seconds == month
    # Who says what they want gets that, and none is a wish too.
    for retention in ({"max_age": None}, {"max_events": 5}, {"max_age": 60}):
        name = f"s-{len(Stream.objects.all())}"
        made = client.post("/streams", {"name": name, "retention": retention}).json()["retention"]
        assert made["max_age"] == retention.get("max_age")


def test_the_form_of_a_new_stream_shows_it(settings, owner, client):
    from django.test import Client

    settings.DEFAULT_RETENTION_DAYS = 30
    browser = Client()
    browser.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    shown = browser.get("/streams/new").content.decode()
    assert 'name="max_age"' in shown
    assert 'value="30"' in shown
