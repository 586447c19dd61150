"""A key is no more than it says: not an admin's by itself, and it sees itself and its own streams alone."""

from typing import Any

import pytest
from django.db import IntegrityError

from accounts.models import ApiKey, User
from accounts.roles import Right, Role, Scope
from accounts.services.authenticate_key import forget_keys
from eventflow_site.first_start import prepare_first_start
from tests.client import ApiClient
from tests.factories import (
    make_bulk_action,
    make_dead_letter,
    make_group,
    make_key,
    make_owner,
    make_stream,
    make_token,
    make_user,
)

pytestmark = pytest.mark.usefixtures("db_with_commits")

LISTS = ["/api-keys", "/producers", "/streams", "/consumer-groups", "/dead-letters"]


@pytest.fixture
def admin() -> User:
    return make_user(Role.ADMIN, email="root@example.com")


@pytest.fixture
def secret_stream() -> Any:
    """A restricted stream of somebody else's, with a group and a dead letter, and a key that names it."""
    owner = make_owner()
    stream = make_stream("salaries", owner=owner, visibility="restricted")
    make_dead_letter(make_group(stream, "payroll", mode="lease"))
    make_key(owner, streams=["salaries"])
    return stream


def text_of_lists(client: ApiClient) -> dict[str, str]:
    answers = {path: client.get(path) for path in LISTS}
    assert {answer.status_code for answer in answers.values()} == {200}
    return {path: answer.content.decode() for path, answer in answers.items()}


def demote(user: User) -> None:
    user.groups.set([])
    User.objects.filter(pk=user.pk).update(is_superuser=False)
    forget_keys()


# --- being an admin ---------------------------------------------------------------------------------------


def test_the_key_of_the_first_start_sees_itself_and_its_stream_alone(secret_stream):
    first = prepare_first_start()
    person = User.objects.get(email=first.admin_email)
    make_stream("mine", owner=person)
    make_key(person, streams=["mine"])
    assert first.api_key is not None
    client = ApiClient(key=first.api_key)
    me = client.get("/auth/me").json()["api_key"]
    assert (me["scopes"], me["streams"]) == (["consume", "produce"], ["demo"])
    assert [key["id"] for key in client.get("/api-keys").json()["data"]] == [me["id"]]
    (producer,) = client.get("/producers").json()["data"]
    assert producer["email"] == first.admin_email
    assert [key["id"] for key in producer["api_keys"]] == [me["id"]]
    assert [stream["name"] for stream in producer["streams"]] == ["demo"]
    for path, text in text_of_lists(client).items():
        assert "salaries" not in text, path
        assert "mine" not in text, path
    for path in ("/streams/salaries", "/streams/salaries/stats", "/streams/mine", "/streams/mine/stats"):
        assert client.get(path).status_code == 404, path


def test_without_the_scope_admin_an_admins_key_is_a_producers_and_a_consumers(admin, secret_stream):
    make_stream("open")
    client = ApiClient(key=make_key(admin))
    for path, text in text_of_lists(client).items():
        assert "salaries" not in text, path
    assert [stream["name"] for stream in client.get("/streams").json()["data"]] == ["open"]
    assert client.get("/streams/open/events").status_code == 200
    assert client.post("/events", {"stream": "open", "payload": 1}).status_code == 403
    assert client.post("/streams", {"name": "own"}).status_code == 201
    assert client.post("/streams", {"name": "given", "owner": secret_stream.owner.email}).status_code == 403
    assert client.post("/events", {"stream": "own", "payload": 1}).status_code == 202


def test_with_the_scope_admin_a_key_does_what_its_other_scopes_say_with_everything(admin, secret_stream):
    client = ApiClient(key=make_key(admin, Scope.ADMIN, Scope.CONSUME))
    for path, text in text_of_lists(client).items():
        assert "salaries" in text, path
    assert client.get("/streams/salaries/events").status_code == 200
    assert client.post("/events", {"stream": "salaries", "payload": 1}).status_code == 403
    assert client.patch("/streams/salaries", {"paused": True}).status_code == 403


def test_the_scope_admin_alone_lists_keys_and_opens_no_stream(admin, secret_stream):
    client = ApiClient(key=make_key(admin, Scope.ADMIN))
    assert "salaries" in client.get("/api-keys").content.decode()
    assert client.get("/streams").json()["data"] == []
    assert client.get("/streams/salaries").status_code == 404


def test_a_list_of_streams_binds_an_admins_key_too(admin, secret_stream):
    make_stream("open")
    action = make_bulk_action(secret_stream.owner)
    client = ApiClient(key=make_key(admin, *Scope, streams=["open"]))
    for path, text in text_of_lists(client).items():
        assert "salaries" not in text, path
    assert client.post("/events", {"stream": "open", "payload": 1}).status_code == 202
    assert len(client.get("/api-keys").json()["data"]) == 1
    assert client.get(f"/dead-letters/bulk-actions/{action.pk}").status_code == 404
    assert client.post("/streams", {"name": "open-2", "owner": secret_stream.owner.email}).status_code == 403


def test_a_key_is_no_admins_once_its_user_is_none(admin, secret_stream):
    client = ApiClient(key=make_key(admin, *Scope))
    assert client.get("/streams/salaries").status_code == 200
    demote(admin)
    admin.groups.add(*User.objects.get(pk=secret_stream.owner_id).groups.all())
    assert client.get("/streams/salaries").status_code == 404
    assert client.get("/auth/me").json()["api_key"]["scopes"] == ["consume", "manage", "produce"]
    (key,) = client.get("/api-keys").json()["data"]
    assert sorted(key["scopes"]) == ["consume", "manage", "produce"]
    (producer,) = client.get("/producers").json()["data"]
    assert sorted(producer["api_keys"][0]["scopes"]) == ["consume", "manage", "produce"]


def test_a_successor_gets_the_scopes_that_are_left(admin):
    person = ApiClient(token=make_token(admin))
    keys = [
        person.post("/api-keys", {"name": "n", "scopes": scopes}).json()["id"]
        for scopes in (["admin", "consume"], ["admin", "produce"])
    ]
    demote(admin)
    admin.groups.add(*make_user(Role.CONSUMER).groups.all())
    person = ApiClient(token=make_token(User.objects.get(pk=admin.pk)))
    answers = [person.post(f"/api-keys/{key}/rotate", {}) for key in keys]
    assert (answers[0].status_code, answers[0].json().get("scopes")) == (201, ["consume"])
    assert (answers[1].status_code, answers[1].json()["code"]) == (409, "api_key_revoked")
    assert ApiKey.objects.get(pk=answers[0].json()["id"]).scopes == ["consume"]


def test_people_and_the_keys_of_before_are_what_they_were(admin, secret_stream):
    """A person who is an admin sees all; a key never becomes an admin's by itself, whatever its age."""
    assert "salaries" in ApiClient(token=make_token(admin)).get("/streams").content.decode()
    make_key(admin)
    assert not ApiKey.objects.filter(scopes__contains=["admin"]).exists()


# --- what a key may be given -------------------------------------------------------------------------------


def test_only_an_admins_key_has_the_scope_admin(admin):
    given = {"name": "n", "scopes": ["consume", "admin"]}
    assert ApiClient(token=make_token(admin)).post("/api-keys", given).status_code == 201
    refused = ApiClient(token=make_token(make_owner())).post("/api-keys", given)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    (fault,) = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/scopes/1", "scope_beyond_role")
    assert ApiKey.objects.count() == 1


def test_a_consumer_has_no_key_to_produce_with():
    refused = ApiClient(token=make_token(make_user(Role.CONSUMER))).post(
        "/api-keys", {"name": "n", "scopes": ["produce", "consume", "manage"]}
    )
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/scopes/0", "/scopes/2"]
    assert not ApiKey.objects.exists()


def test_a_key_is_for_streams_that_its_user_may_see(secret_stream):
    owner = make_owner()
    make_stream("orders", owner=owner)
    person = ApiClient(token=make_token(owner))
    assert person.post("/api-keys", {"name": "n", "scopes": ["consume"], "streams": ["orders"]}).status_code == 201
    answers = [
        person.post("/api-keys", {"name": "n", "scopes": ["consume"], "streams": ["orders", name]}).json()
        for name in ("salaries", "salariez")
    ]
    for name, answer in zip(("salaries", "salariez"), answers, strict=True):
        (fault,) = answer["errors"]
        assert (answer["status"], fault["pointer"], fault["code"]) == (422, "/streams/1", "stream_not_found")
        assert name in fault["detail"]
    # What is hidden and what is missing look the same.
    texts = [str(answer["errors"]) + answer["detail"] for answer in answers]
    assert texts[0].replace("salaries", "-") == texts[1].replace("salariez", "-")
    assert ApiKey.objects.filter(user=owner).count() == 1


def test_a_key_makes_no_other_key_and_hands_none_on(admin):
    for key in (make_key(admin, *Scope), make_key(admin, Right.CONSUME, streams=["orders"])):
        client = ApiClient(key=key)
        own = client.get("/auth/me").json()["api_key"]["id"]
        assert client.post("/api-keys", {"name": "n", "scopes": ["consume"]}).status_code == 403
        assert client.post(f"/api-keys/{own}/rotate", {}).status_code == 403
        assert client.delete(f"/api-keys/{own}").status_code == 403
    assert ApiKey.objects.count() == 2


def test_the_database_knows_the_scopes():
    with pytest.raises(IntegrityError, match="apikey_scopes_are_known_and_some"):
        ApiKey.objects.create(key_id="x", user=make_owner(), name="n", prefix="x", secret_hash=b"", scopes=["root"])


# --- what a key is told of -----------------------------------------------------------------------------------


def test_any_key_sees_itself_and_none_of_its_owners_others():
    owner = make_owner()
    for name in ("orders", "payments"):
        make_stream(name, owner=owner)
    narrow, _ = make_key(owner, Right.CONSUME, streams=["orders"]), make_key(owner, streams=["payments"])
    client = ApiClient(key=narrow)
    for path in ("/api-keys", "/producers"):
        text = client.get(path).content.decode()
        assert "orders" in text, path
        assert "payments" not in text, path
    # Its owner, signed in, sees both.
    assert len(ApiClient(token=make_token(owner)).get("/api-keys").json()["data"]) == 2


def test_a_name_outside_its_list_is_refused_alike_whether_there_is_such_a_stream_or_not(secret_stream):
    owner = make_owner()
    client = ApiClient(key=make_key(owner, streams=["orders"]))
    taken, free = (client.post("/streams", {"name": name}).json() for name in ("salaries", "salariez"))
    assert taken["status"] == 403
    assert {**taken, "request_id": ""} == {**free, "request_id": ""}


def test_an_answer_is_remembered_for_the_key_that_got_it():
    owner = make_owner()
    make_stream("orders", owner=owner)
    body = {"name": "billing"}
    wide, narrow = ApiClient(key=make_key(owner)), ApiClient(key=make_key(owner, streams=["payments"]))
    path = "/streams/orders/consumer-groups"
    assert wide.post(path, body, Idempotency_Key="a").status_code == 201
    assert wide.post(path, body, Idempotency_Key="a").headers["Idempotent-Replayed"] == "true"
    assert narrow.post(path, body, Idempotency_Key="a").status_code == 404
