"""The audit trail: who did what, with what before and after, from where; and nobody changes it."""

import csv
import io

import pytest
from django.db import InternalError, ProgrammingError, connection, transaction
from django.test import Client

from accounts.audit_actions import AuditAction
from accounts.models import AuditEntry, User
from accounts.roles import Right, Role
from accounts.services.audit import record
from accounts.services.users import create_user, disable_users
from observability.dashboard.pages import audit
from observability.dashboard.queries.audit_page import changes_between
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import (
    make_dead_letter,
    make_group,
    make_key,
    make_owner,
    make_stream,
    make_token,
    make_user,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def owner() -> User:
    return make_owner()


@pytest.fixture
def client(owner: User) -> ApiClient:
    return ApiClient(token=make_token(owner))


@pytest.fixture
def admin() -> ApiClient:
    return ApiClient(token=make_token(make_user(Role.ADMIN)))


def trail(client: ApiClient, **wanted: str) -> list[dict]:
    """What they are told of, but for their signing in."""
    answer = client.get("/audit-log", **wanted)
    assert answer.status_code == 200, answer.content
    return [each for each in answer.json()["data"] if each["action"] != "user.signed_in"]


def test_who_sought_this_group(owner, client):
    """The story that the trail is for: events were skipped, and somebody wants to know by whom."""
    make_group(make_stream("orders", owner=owner), "shipping", mode="lease")
    for number in range(5):
        client.post("/events", {"stream": "orders", "payload": number})
    deputy = make_owner()
    client.post("/streams/orders/grants", {"user": deputy.email, "rights": ["consume", "manage"]})
    key = make_key(deputy, Right.CONSUME, Right.MANAGE)
    sought = ApiClient(key=key).post(f"{GROUP}/seek", {"to": "latest"}, X_Request_Id="the-request")
    assert sought.status_code == 200
    # A dry run does nothing, and so leaves no trace.
    assert client.post(f"{GROUP}/seek", {"to": "earliest", "dry_run": True}).status_code == 200

    (entry,) = trail(client, stream="orders", group="shipping", action="group.sought")
    assert entry["actor"].startswith("key:")
    assert entry["actor_email"] == deputy.email
    assert entry["address"] == "127.0.0.1"
    assert entry["request_id"] == sought.headers["X-Request-Id"]
    assert entry["before"] == {"committed_offsets": {"0": 0}}
    assert entry["after"] == {"to": "latest", "committed_offsets": {"0": 5}, "events_affected": 5}


def test_a_change_says_what_it_replaced_and_what_is_equal_is_no_change(owner, client):
    make_stream("orders", owner=owner, description="old")
    client.patch("/streams/orders", {"description": "new", "retention": {"max_events": 10}})
    client.patch("/streams/orders", {"description": "new"})

    (entry,) = trail(client, action="stream.changed")
    assert entry["before"] == {"description": "old", "retention_max_events": None}
    assert entry["after"] == {"description": "new", "retention_max_events": 10}


def test_a_change_in_the_admin_says_so_as_well(owner, admin):
    stream = make_stream("orders", owner=owner, description="old")
    group = make_group(stream, "shipping", mode="lease", owner=owner)
    browser = Client()
    browser.force_login(make_user(*Role), "django.contrib.auth.backends.ModelBackend")
    for page in (f"/admin/streams/stream/{stream.pk}/change/", f"/admin/consumers/consumergroup/{group.pk}/change/"):
        form = browser.get(page).context["adminform"].form
        fields = {name: form[name].value() for name in form.fields}
        for formset in ("grants", "offsets", "members"):
            fields |= {f"{formset}-TOTAL_FORMS": "0", f"{formset}-INITIAL_FORMS": "0"}
        changed = {"description": "new", "is_paused": True} if "description" in fields else {"is_paused": True}
        sent = {name: value for name, value in (fields | changed).items() if value not in (None, False)}
        answer = browser.post(page, sent)
        assert answer.status_code == 302, answer.context["errors"]

    (of_stream,) = trail(admin, action="stream.changed")
    assert of_stream["before"] == {"description": "old", "is_paused": False}
    assert of_stream["after"] == {"description": "new", "is_paused": True}
    (of_group,) = trail(admin, action="group.changed")
    assert (of_group["before"], of_group["after"]) == ({"is_paused": False}, {"is_paused": True})


def test_every_kind_of_act_leaves_its_entry(owner, client, admin):
    reader = make_user(Role.CONSUMER)
    client.post("/streams", {"name": "orders"})
    client.patch("/streams/orders", {"paused": True})
    client.patch("/streams/orders", {"paused": False})
    client.post("/events", {"stream": "orders", "payload": 1})
    shared = client.post("/streams/orders/grants", {"user": reader.email, "rights": ["consume"]})
    client.delete(f"/streams/orders/grants/{shared.json()['id']}")
    client.post("/streams/orders/consumer-groups", {"name": "shipping", "mode": "lease"})
    client.patch(GROUP, {"paused": True})
    shared = client.post(f"{GROUP}/grants", {"user": reader.email, "rights": ["use"]})
    client.delete(f"{GROUP}/grants/{shared.json()['id']}")
    client.post(f"{GROUP}/seek", {"to": "latest"})
    group = Stream.objects.get().consumer_groups.get()
    letters = [make_dead_letter(group, offset).pk for offset in (1, 2, 3, 4, 5)]
    client.post(f"/dead-letters/{letters[0]}/redrive", {"note": "again"})
    client.post(f"/dead-letters/{letters[1]}/resolve", {})
    client.post(f"/dead-letters/{letters[2]}/discard", {})
    client.post("/dead-letters/discard", {"filter": {"stream": "orders"}})
    client.delete(f"{GROUP}?confirm=shipping")
    made = client.post("/api-keys", {"name": "k", "scopes": ["produce"]}).json()
    rotated = client.post(f"/api-keys/{made['id']}/rotate", {"overlap_seconds": 60}).json()
    client.delete(f"/api-keys/{rotated['id']}")
    client.delete(f"/api-keys/{rotated['id']}")
    admin.post("/teams", {"name": "t"})
    admin.patch("/teams/t", {"description": "d"})
    admin.put(f"/teams/t/members/{reader.email}")
    admin.put(f"/teams/t/members/{reader.email}")
    admin.delete(f"/teams/t/members/{reader.email}")
    admin.delete("/teams/t")
    client.delete("/streams/orders?confirm=orders")
    create_user(email="new@example.com", password=None, roles=[Role.CONSUMER])
    disable_users(User.objects.filter(email="new@example.com"))

    told = [entry.action for entry in AuditEntry.objects.exclude(action="user.signed_in").order_by("pk")]
    assert told == [
        "stream.created",
        "stream.changed",
        "stream.changed",
        "stream.shared",
        "stream.unshared",
        "group.created",
        "group.changed",
        "group.shared",
        "group.unshared",
        "group.sought",
        "dead_letters.redriven",
        "dead_letters.resolved",
        "dead_letters.discarded",
        "dead_letters.discarded",
        "group.deleted",
        "key.created",
        "key.rotated",
        "key.revoked",
        "team.created",
        "team.changed",
        "team.member_added",
        "team.member_removed",
        "team.deleted",
        "stream.deleted",
        "user.created",
        "user.disabled",
    ]
    # Whoever asked is known, and no secret is told.
    by = {entry.action: entry.actor for entry in AuditEntry.objects.all()}
    assert by["stream.created"] == by["group.deleted"] == by["key.revoked"] == f"user:{owner.pk}"
    assert by["user.created"] == "system"
    everything = str(list(AuditEntry.objects.values()))
    assert made["secret"] not in everything


def test_what_was_not_done_is_not_told(owner, client):
    make_stream("orders", owner=owner)
    stranger = ApiClient(token=make_token(make_owner()))
    client.get("/streams")
    known = AuditEntry.objects.count()
    assert client.post("/streams", {"name": "orders"}).status_code == 409
    assert client.delete("/streams/orders").status_code == 422
    assert stranger.patch("/streams/orders", {}).status_code == 403
    assert AuditEntry.objects.count() == known


def test_nobody_changes_an_entry_or_takes_it_away(owner):
    make_stream(owner=owner)
    assert AuditEntry.objects.count() == 1
    for statement in (
        "UPDATE accounts_auditentry SET actor = 'user:0'",
        "DELETE FROM accounts_auditentry",
        "TRUNCATE accounts_auditentry",
    ):
        with pytest.raises((InternalError, ProgrammingError)), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    assert AuditEntry.objects.get().actor == "system"


# --- who sees what ---------------------------------------------------------------------------------------


def test_everybody_sees_what_they_manage_and_what_they_did_and_an_admin_sees_all(owner, client, admin):
    client.post("/streams", {"name": "orders"})
    reader = make_user(Role.CONSUMER)
    reading = ApiClient(token=make_token(reader))
    reading.post("/streams/orders/consumer-groups", {"name": "theirs"})
    stranger = ApiClient(token=make_token(make_owner()))

    assert {each["action"] for each in trail(client)} == {"stream.created", "group.created"}
    assert [each["action"] for each in trail(reading)] == ["group.created"]
    client.patch("/streams/orders/consumer-groups/theirs", {"paused": True})
    assert [each["action"] for each in trail(reading)] == ["group.changed", "group.created"]
    assert trail(stranger) == []
    assert len(trail(admin)) >= 3


def test_whoever_is_given_an_address_that_was_anothers_does_not_see_what_they_did():
    former = make_user(Role.PRODUCER, email="ada@example.com")
    ApiClient(token=make_token(former)).post("/streams", {"name": "mergers", "visibility": "restricted"})
    ApiClient(key=make_key(former)).post("/streams", {"name": "layoffs", "visibility": "restricted"})
    former.email = "countess@example.com"
    former.save()
    namesake = make_user(Role.PRODUCER, email="ada@example.com")
    ApiClient(token=make_token(namesake)).post("/streams", {"name": "orders"})
    ApiClient(key=make_key(namesake)).post("/streams", {"name": "returns"})
    Stream.objects.update(owner=make_owner())
    told = trail(ApiClient(token=make_token(namesake)))
    assert {entry["stream"] for entry in told if entry["action"] == "stream.created"} == {"orders", "returns"}


def test_a_stream_of_the_same_name_has_a_past_of_its_own(owner, client):
    client.post("/streams", {"name": "orders"})
    client.delete("/streams/orders?confirm=orders")
    heir = ApiClient(token=make_token(make_owner()))
    heir.post("/streams", {"name": "orders"})
    assert [each["action"] for each in trail(heir, stream="orders")] == ["stream.created"]
    assert len(trail(client, stream="orders")) == 2


def test_a_key_sees_what_it_may_manage_and_no_more(owner, client):
    for name in ("orders", "secret"):
        client.post("/streams", {"name": name})
    managing = ApiClient(key=make_key(owner, Right.MANAGE, streams=["orders"]))
    assert {each["stream"] for each in trail(managing)} == {"orders"}
    assert trail(ApiClient(key=make_key(owner, Right.PRODUCE))) == []


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"action": "group.sought"}, 200),
        ({"action": "nothing"}, 422),
        ({"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}, 200),
        ({"since": "yesterday"}, 422),
        ({"no_such": "1"}, 422),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(client, wanted, status):
    assert client.get("/audit-log", **wanted).status_code == status


# --- the dashboard and the admin -------------------------------------------------------------------------


@pytest.fixture
def browser(owner: User) -> Client:
    signed_in = Client()
    signed_in.force_login(owner, "django.contrib.auth.backends.ModelBackend")
    return signed_in


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"is_paused": False}, {"is_paused": True}, [("is paused", "no", "yes")]),
        ({}, {"scopes": ["consume", "produce"], "expires_at": None, "labels": {}}, [("scopes", None, "consume, produce")]),
        ({"committed_offsets": {"0": 3, "1": 0}}, {"to": "latest"},
         [("committed offsets", "0: 3, 1: 0", None), ("to", None, "latest")]),
        ({"max_events": None}, {"max_events": 10}, [("max events", "none", "10")]),
        ({"max_events": 10}, {"max_events": None}, [("max events", "10", "none")]),
        ({}, {"copies": 0}, [("copies", None, "0")]),
    ],
)  # fmt: skip
def test_a_change_is_told_in_words(before, after, told):
    assert [(each.field, each.before, each.after) for each in changes_between(before, after)] == told


def test_the_page_shows_the_person_behind_a_form_and_filters(owner, browser):
    make_group(make_stream("orders", owner=owner), "shipping", mode="lease")
    browser.post(f"{GROUP}/pause", {"paused": "on"})
    page = browser.get("/audit", {"stream": "orders", "group": "shipping", "action": "group.changed"}).content.decode()
    assert owner.email in page
    assert "is paused" in page
    assert "group.created</span>" not in page
    assert "Nothing matches" in browser.get("/audit", {"actor": "nobody@example.com"}).content.decode()
    assert "/audit?stream=orders" in browser.get(GROUP).content.decode()


def test_the_file_holds_the_same_and_no_formula(owner, browser):
    make_stream("orders", owner=owner)
    AuditEntry.objects.create(
        action=AuditAction.STREAM_CHANGED,
        actor=f"user:{owner.pk}",
        actor_email=owner.email,
        target="=HYPERLINK(1)",
    )
    answer = browser.get("/audit/export", {"since": "2026-01-01T00:00"})
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert [row["action"] for row in rows] == ["stream.changed", "stream.created"]
    assert rows[0]["target"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("end", ["session", "stream"])
def test_the_file_holds_no_more_once_the_right_to_it_has_ended(owner, browser, monkeypatch, end):
    monkeypatch.setattr(audit, "PIECE_ENTRIES", 2)
    stream = make_stream("orders", owner=owner)
    for number in range(5):
        record(AuditAction.STREAM_CHANGED, stream=(stream.pk, "orders"), target=f"change {number}")
    pieces = iter(browser.get("/audit/export").streaming_content)
    begun = next(pieces) + next(pieces)
    if end == "session":
        browser.post("/sign-out")
    else:
        Stream.objects.update(owner=make_owner())
    rest = b"".join(pieces).decode()

    assert begun.decode().count("change") == 2 + 2
    assert "change" not in rest
    assert ("cut here: the session has ended" in rest) is (end == "session")


def test_the_file_is_whole_however_many_pieces_it_has(owner, browser, monkeypatch):
    monkeypatch.setattr(audit, "PIECE_ENTRIES", 2)
    stream = make_stream("orders", owner=owner)
    for number in range(5):
        record(AuditAction.STREAM_CHANGED, stream=(stream.pk, "orders"), target=f"change {number}")
    rows = list(csv.DictReader(io.StringIO(browser.get("/audit/export").getvalue().decode())))
    assert [row["target"] for row in rows] == [f"change {number}" for number in (4, 3, 2, 1, 0)] + [""]


def test_the_admin_shows_it_and_lets_nobody_write(owner):
    root = make_user(Role.ADMIN, password="correct horse battery staple")
    make_stream(owner=owner)
    browser = Client()
    browser.force_login(root, "django.contrib.auth.backends.ModelBackend")
    entry = AuditEntry.objects.get()
    assert browser.get("/admin/accounts/auditentry/").status_code == 200
    assert browser.get(f"/admin/accounts/auditentry/{entry.pk}/change/").status_code == 200
    assert browser.post(f"/admin/accounts/auditentry/{entry.pk}/change/", {"actor": "x"}).status_code == 403
    assert browser.post(f"/admin/accounts/auditentry/{entry.pk}/delete/", {"post": "yes"}).status_code == 403


# --- signing in ------------------------------------------------------------------------------------------


def test_who_signs_in_and_who_tries_to_is_told_with_where_from():
    user = make_user(Role.CONSUMER, email="cy@example.com", password="correct horse battery staple")
    assert ApiClient().post("/auth/login", {"email": "cy@example.com", "password": "wrong"}).status_code == 401
    assert ApiClient().post("/auth/login", {"email": "no@example.com", "password": "wrong"}).status_code == 401
    answer = ApiClient().post("/auth/login", {"email": user.email, "password": "correct horse battery staple"})
    assert answer.status_code == 200

    told = [(each.action, each.target, each.actor, each.was_refused) for each in AuditEntry.objects.order_by("pk")]
    assert told == [
        ("user.sign_in_refused", "cy@example.com", "anonymous", True),
        ("user.sign_in_refused", "no@example.com", "anonymous", True),
        ("user.signed_in", "cy@example.com", f"user:{user.pk}", False),
    ]
    assert {each.address for each in AuditEntry.objects.all()} == {"127.0.0.1"}
    assert "correct horse" not in str(list(AuditEntry.objects.values()))


def test_a_changed_password_and_an_ended_session_are_told():
    user = make_user(Role.CONSUMER, password="correct horse battery staple")
    client = ApiClient(token=make_token(user))
    make_token(user)
    other = next(each for each in client.get("/auth/sessions").json()["data"] if not each["current"])
    assert client.delete(f"/auth/sessions/{other['id']}").status_code == 204
    body = {"current_password": "correct horse battery staple", "new_password": "another horse battery staple"}
    assert client.post("/auth/password", body).status_code == 200
    told = [each.action for each in AuditEntry.objects.exclude(action="user.signed_in").order_by("pk")]
    assert told == ["user.sessions_ended", "user.password_changed"]


def test_all_other_sessions_that_are_ended_are_told_by_either_door():
    user = make_user(Role.CONSUMER, email="cy@example.com", password="correct horse battery staple")
    client, page = ApiClient(token=make_token(user)), Client()
    page.post("/sign-in", {"email": user.email, "password": "correct horse battery staple"})
    assert client.delete("/auth/sessions").json() == {"ended": 1}
    assert client.delete("/auth/sessions").json() == {"ended": 0}
    page.post("/sign-in", {"email": user.email, "password": "correct horse battery staple"})
    assert page.post("/account/sessions/end").status_code == 302

    ended = AuditEntry.objects.filter(action="user.sessions_ended").order_by("pk")
    # Nothing was done the second time.
    assert [(each.actor, each.after) for each in ended] == [(f"user:{user.pk}", {"sessions": 1})] * 2


def test_a_sign_out_is_told_by_either_door():
    user = make_user(Role.CONSUMER, email="cy@example.com", password="correct horse battery staple")
    body = {"email": user.email, "password": "correct horse battery staple"}
    refresh = ApiClient().post("/auth/login", body).json()["refresh"]
    page = Client()
    page.post("/sign-in", body)
    assert [ApiClient().post("/auth/logout", {"refresh": refresh}).status_code for _ in range(2)] == [204, 204]
    assert page.post("/sign-out").status_code == 302
    assert page.post("/sign-out").status_code == 302

    ended = AuditEntry.objects.filter(action="user.sessions_ended").order_by("pk")
    assert [(each.actor, each.actor_email, each.after) for each in ended] == [
        (f"user:{user.pk}", user.email, {"sessions": 1})
    ] * 2


def test_an_old_refresh_token_that_ends_a_session_is_told():
    user = make_user(Role.CONSUMER, email="cy@example.com", password="correct horse battery staple")
    body = {"email": user.email, "password": "correct horse battery staple"}
    old = ApiClient().post("/auth/login", body).json()["refresh"]
    new = ApiClient().post("/auth/refresh", {"refresh": old}).json()["refresh"]
    ApiClient().post("/auth/refresh", {"refresh": new})
    assert ApiClient().post("/auth/refresh", {"refresh": old}).status_code == 401
    [ended] = AuditEntry.objects.filter(action="user.sessions_ended")
    # By whom, nobody knows: the user or a thief.
    assert (ended.actor, ended.target, ended.after) == (
        "anonymous",
        user.email,
        {"sessions": 1, "because": "a refresh token was used again"},
    )
