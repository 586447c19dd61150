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


def test_a_stream_is_given_to_nobody_who_has_as_many_as_they_may(settings, owner, client):
    make_team("t", owner)
    allow(settings, streams=1)
    assert client.post("/streams", {"name": "mine"}).status_code == 201
    assert client.post("/streams", {"name": "theirs", "owner": "t"}).status_code == 201
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    # From a user to a team, and from the team to the user; nobody is exempt, as in making one.
    assert refused(client.patch("/streams/mine", {"owner": "t"})) == "streams"
    assert refused(admin.patch("/streams/theirs", {"owner": owner.email, "description": "d"})) == "streams"
    shown = {each["name"]: (each["owner"], each["description"]) for each in client.get("/streams").json()["data"]}
    assert shown == {"mine": (owner.email, ""), "theirs": ("t", "")}
    # To whom it belongs it may be given again, and where there is room.
    assert client.patch("/streams/mine", {"owner": owner.email, "description": "d"}).status_code == 200
    assert client.delete("/streams/theirs?confirm=theirs").status_code == 204
    assert client.patch("/streams/mine", {"owner": "t"}).json()["owner"] == "t"
    assert client.post("/streams", {"name": "again"}).status_code == 201
    assert refused(admin.patch("/streams/mine", {"owner": owner.email})) == "streams"


def test_with_a_stream_go_its_partitions_and_what_it_has_stored(settings, owner, client):
    make_team("t", owner)
    theirs = make_stream("theirs", owner=owner, partitions=2)
    assert client.patch("/streams/theirs", {"owner": "t"}).status_code == 200
    mine = make_stream("mine", owner=owner, partitions=2)
    allow(settings, partitions=3)
    assert refused(client.patch("/streams/mine", {"owner": "t"})) == "partitions"
    allow(settings, partitions=4, stored_mib=3)
    Partition.objects.filter(stream=theirs, number=0).update(stored_bytes=2 * 2**20)
    Partition.objects.filter(stream=mine, number=1).update(stored_bytes=2**20 + 1)
    assert refused(client.patch("/streams/mine", {"owner": "t"})) == "stored_mib"
    Partition.objects.filter(stream=mine, number=1).update(stored_bytes=2**20)
    assert client.patch("/streams/mine", {"owner": "t"}).status_code == 200


def test_a_group_is_given_to_nobody_who_has_as_many_as_they_may(settings, owner, client):
    make_team("t", owner)
    stream = make_stream("orders", owner=owner)
    allow(settings, groups=1)
    groups = "/streams/orders/consumer-groups"
    assert client.post(groups, {"name": "mine"}).status_code == 201
    make_group(stream, "theirs", owner=make_user(Role.CONSUMER))
    assert client.patch(f"{groups}/mine", {"owner": "t"}).status_code == 200
    assert client.post(groups, {"name": "more"}).status_code == 201
    assert refused(client.patch(f"{groups}/more", {"owner": "t"})) == "groups"
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    assert refused(admin.patch(f"{groups}/theirs", {"owner": owner.email})) == "groups"
    assert refused(client.patch(f"{groups}/mine", {"owner": owner.email})) == "groups"
    assert client.delete(f"{groups}/more?confirm=more").status_code == 204
    assert client.patch(f"{groups}/mine", {"owner": owner.email}).json()["owner"] == owner.email


@pytest.mark.parametrize("is_htmx", [True, False])
def test_the_card_of_a_stream_says_so_and_so_does_the_admin(settings, owner, client, is_htmx):
    from django.test import Client

    team = make_team("t", owner)
    for name, whose in (("mine", owner.email), ("theirs", "t")):
        assert client.post("/streams", {"name": name, "owner": whose}).status_code == 201
    allow(settings, streams=1)
    browser = Client()
    browser.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    headers = {"HX-Request": "true"} if is_htmx else {}
    answer = browser.post("/streams/mine/access/owner", {"owner": "t"}, headers=headers)
    assert answer.status_code == (422 if is_htmx else 507)
    assert "The new owner has 1 streams of at most 1." in answer.content.decode()

    browser.force_login(make_user(*Role), "django.contrib.auth.backends.ModelBackend")
    stream = Stream.objects.get(name="mine")
    page = f"/admin/streams/stream/{stream.pk}/change/"
    form = {"visibility": "internal", "labels": "{}", "validation": "off", "owner": "", "owner_team": team.pk}
    form |= {"grants-TOTAL_FORMS": 0, "grants-INITIAL_FORMS": 0}
    told = browser.post(page, form, follow=True)
    assert "The new owner has 1 streams of at most 1." in told.content.decode()
    stream.refresh_from_db()
    assert stream.owner_name == owner.email


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
