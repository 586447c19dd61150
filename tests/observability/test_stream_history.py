"""The history of a stream: every change of it is there, whichever door it came by, for those who manage it."""

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import AuditEntry, Team, User
from accounts.roles import Right, Role
from accounts.services.teams import delete_team
from observability.operations.transfer import NotAnExport, export_events, import_events
from streams.bodies import ChangeStreamSerializer
from streams.lookup import load_stream
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_team, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
HISTORY = "/streams/orders/history"


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def stream(owner) -> Stream:
    return make_stream("orders", owner=owner)


@pytest.fixture
def client(owner, stream) -> ApiClient:
    return ApiClient(token=make_token(owner))


def browser_of(user: User) -> Client:
    signed_in = Client()
    signed_in.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return signed_in


def last(action: str) -> AuditEntry:
    return AuditEntry.objects.filter(action=action, stream="orders").order_by("-pk")[0]


# --- every change is there -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "before", "after"),
    [
        ({"description": "new"}, {"description": ""}, {"description": "new"}),
        ({"visibility": "restricted"}, {"visibility": "internal"}, {"visibility": "restricted"}),
        ({"paused": True}, {"is_paused": False}, {"is_paused": True}),
        ({"deduplicate_ids": 60}, {"deduplicate_ids_seconds": None}, {"deduplicate_ids_seconds": 60}),
        ({"validation": "warn"}, {"validation": "off"}, {"validation": "warn"}),
        ({"labels": {"team": "shop"}}, {"labels": {}}, {"labels": {"team": "shop"}}),
        ({"partitions": 3}, {"partition_count": 1}, {"partition_count": 3}),
        (
            {"retention": {"max_age": 60, "max_bytes": 7, "max_events": 9}},
            {"retention_max_age_seconds": 604_800, "retention_max_bytes": None, "retention_max_events": None},
            {"retention_max_age_seconds": 60, "retention_max_bytes": 7, "retention_max_events": 9},
        ),
    ],
    ids=lambda value: next(iter(value)),
)
def test_each_setting_with_what_was_before(client, body, before, after):
    Stream.objects.update(retention_max_age_seconds=604_800)
    assert client.patch("/streams/orders", body).status_code == 200
    entry = last("stream.changed")
    assert (entry.before, entry.after) == (before, after)
    (told,) = [each for each in client.get("/audit-log", stream="orders").json()["data"] if each["id"] == entry.pk]
    assert (told["before"], told["after"]) == (before, after)


def test_no_setting_is_left_out():
    """A setting that comes later has to be in the table above."""
    told = {
        "description",
        "visibility",
        "paused",
        "validation",
        "labels",
        "partitions",
        "retention",
        "owner",
        "deduplicate_ids",
    }
    assert set(ChangeStreamSerializer().fields) == told


def test_another_owner_by_name_whichever_door_it_came_by(owner, client, stream):
    make_team("shop", owner)
    assert client.patch("/streams/orders", {"owner": "shop"}).status_code == 200
    entry = last("stream.changed")
    assert (entry.before, entry.after) == ({"owner": owner.email}, {"owner": "shop"})

    admin = browser_of(make_user(Role.ADMIN))
    fields = {"owner": owner.pk, "owner_team": "", "visibility": "internal", "labels": "{}", "validation": "off"}
    fields |= {"grants-TOTAL_FORMS": "0", "grants-INITIAL_FORMS": "0"}
    assert admin.post(reverse("admin:streams_stream_change", args=[stream.pk]), fields).status_code == 302
    entry = last("stream.changed")
    assert (entry.before, entry.after) == ({"owner": "shop"}, {"owner": owner.email})

    make_group(stream, "billing", owner=owner)
    client.patch("/streams/orders/consumer-groups/billing", {"owner": "shop"})
    entry = last("group.changed")
    assert (entry.before, entry.after) == ({"owner": owner.email}, {"owner": "shop"})


def test_rights_that_go_with_their_team(owner, client, stream):
    team = make_team("shop", owner)
    make_group(stream, "billing", owner=owner)
    for path, rights in (("/streams/orders", ["consume"]), ("/streams/orders/consumer-groups/billing", ["use"])):
        assert client.post(f"{path}/grants", {"team": "shop", "rights": rights}).status_code == 201
    delete_team(team=Team.objects.get(pk=team.pk))
    for action, rights in (("stream.unshared", ["consume"]), ("group.unshared", ["use"])):
        entry = last(action)
        assert (entry.target, entry.before) == ("shop", {"rights": rights})
        assert entry.stream_id == stream.pk


def test_rights_given_changed_and_taken_in_the_admin(owner, stream):
    reader = make_user(Role.CONSUMER, Role.PRODUCER)
    admin = browser_of(make_user(Role.ADMIN))
    address = reverse("admin:streams_stream_change", args=[stream.pk])
    fields = {"owner": owner.pk, "visibility": "internal", "labels": "{}", "validation": "off"}

    def save(count: int, **row: object) -> None:
        forms = {"grants-TOTAL_FORMS": "1", "grants-INITIAL_FORMS": str(count)}
        sent = {f"grants-0-{name}": value for name, value in row.items()}
        assert admin.post(address, fields | forms | sent).status_code == 302

    save(0, user=reader.pk, rights=["consume"])
    given = last("stream.shared")
    assert (given.target, given.before, given.after) == (reader.email, None, {"rights": ["consume"]})
    known = {"id": stream.grants.get().pk, "stream": stream.pk, "user": reader.pk}
    save(1, **known, rights=["consume", "produce"])
    changed = last("stream.shared")
    assert (changed.before, changed.after) == ({"rights": ["consume"]}, {"rights": ["consume", "produce"]})
    save(1, **known, rights=["consume", "produce"], DELETE="on")
    assert last("stream.unshared").before == {"rights": ["consume", "produce"]}


def test_schemas_erasures_and_imports(client):
    client.post("/streams/orders/schemas", {"type": "t", "schema": {"type": "object"}})
    client.post("/streams/orders/events", {"type": "t", "payload": {}})
    assert client.post("/streams/orders/events/0/1/erase", {"reason": "asked for"}).status_code == 200
    lines = [line for portion in export_events(load_stream("orders")) for line in portion]
    assert list(import_events(load_stream("orders"), lines * 3, partitions=1)) == [(3, 0)]
    own = AuditEntry.objects.filter(stream="orders").order_by("pk").values_list("action", flat=True)
    assert list(own) == ["stream.created", "schema.registered", "event.erased", "stream.imported"]
    assert last("stream.imported").after == {"events": 3}


def test_an_import_that_ends_too_early_tells_what_it_stored(client, monkeypatch):
    monkeypatch.setattr("observability.operations.transfer.TRANSFER_EVENTS", 1)
    client.post("/streams/orders/events", {"payload": 1})
    (line,) = [line for portion in export_events(load_stream("orders")) for line in portion]
    with pytest.raises(NotAnExport):
        list(import_events(load_stream("orders"), [line, line, b"nothing"], partitions=1))
    assert last("stream.imported").after == {"events": 2}
    with pytest.raises(NotAnExport):
        list(import_events(load_stream("orders"), [b"nothing"], partitions=1))
    assert AuditEntry.objects.filter(action="stream.imported").count() == 1


# --- the page --------------------------------------------------------------------------------------------


def test_the_page_tells_the_streams_changes_and_its_groups_on_request(owner, client, stream):
    client.patch("/streams/orders", {"description": "what was <script>"})
    make_group(stream, "billing", owner=owner)
    browser = browser_of(owner)
    assert HISTORY in browser.get("/streams/orders/settings").content.decode()
    assert HISTORY in browser.get("/streams/orders").content.decode()
    page = browser.get(HISTORY).content.decode()
    assert owner.email in page
    assert "stream.created" in page
    assert "what was &lt;script&gt;" in page
    assert "group.created" not in page
    whole = browser.get(HISTORY, {"groups": "shown"}).content.decode()
    assert "group.created" in whole
    assert "billing" in whole


def test_a_stream_of_the_same_name_has_a_history_of_its_own(owner, client):
    client.patch("/streams/orders", {"description": "of the first"})
    client.delete("/streams/orders?confirm=orders")
    make_stream("orders", owner=owner)
    for user in (owner, make_user(*Role)):
        page = browser_of(user).get(HISTORY).content.decode()
        assert "of the first" not in page
        assert page.count("stream.created") == 1


def test_it_has_pages(owner, client):
    for number in range(60):
        client.patch("/streams/orders", {"description": str(number)})
    browser = browser_of(owner)
    first = browser.get(HISTORY)
    assert len(first.context["listing"].rows) == 50
    rest = browser.get(first.context["listing"].next_url)
    assert [row.action for row in rest.context["listing"].rows][-1] == "stream.created"
    assert len(rest.context["listing"].rows) == 11


def test_who_manages_it_sees_it_and_nobody_else(owner, client, stream):
    deputy, reader, stranger = make_owner(), make_user(Role.CONSUMER), make_owner()
    client.post("/streams/orders/grants", {"user": deputy.email, "rights": ["manage"]})
    assert browser_of(deputy).get(HISTORY).status_code == 200
    assert browser_of(make_user(Role.ADMIN)).get(HISTORY).status_code == 200
    for user in (reader, stranger):
        refused = browser_of(user).get(HISTORY)
        assert refused.status_code == 403
        assert deputy.email not in refused.content.decode()
        assert ApiClient(token=make_token(user)).get("/audit-log", stream="orders").json()["data"] == []
    client.patch("/streams/orders", {"visibility": "restricted"})
    assert browser_of(stranger).get(HISTORY).status_code == 404
    # A key sees what it may manage.
    managing, reading = make_key(owner, Right.MANAGE), make_key(owner, Right.CONSUME)
    told = ApiClient(key=managing).get("/audit-log", stream="orders").json()["data"]
    assert {each["action"] for each in told} == {"stream.created", "stream.shared", "stream.changed"}
    assert ApiClient(key=reading).get("/audit-log", stream="orders").json()["data"] == []


def test_what_is_hostile_is_shown_as_text(owner, client):
    AuditEntry.objects.create(
        action="stream.changed",
        actor="user:1",
        actor_email="<script>@example.com",
        stream="orders",
        stream_id=Stream.objects.get().pk,
        target="\u202e<img src=x>",
        after=orjson.loads('{"<b>": "<i>"}'),
    )
    page = browser_of(owner).get(HISTORY).content.decode()
    assert "<script>@" not in page
    assert "<img src=x>" not in page
    assert "<i>" not in page
    assert "U+202E" in page
