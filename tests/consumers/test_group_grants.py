"""Workers of several users share a group: who was granted its use leases and acks, who was granted to manage it seeks."""

import threading
import time

import pytest

from accounts.roles import Right, Role
from consumers.models import ConsumerGroup
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_team, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
GROUP = "/streams/orders/consumer-groups/shipping"


@pytest.fixture
def group() -> ConsumerGroup:
    return make_group(make_stream("orders", owner=make_owner()), "shipping", mode="lease")


@pytest.fixture
def owner(group: ConsumerGroup) -> ApiClient:
    assert group.owner is not None
    return ApiClient(token=make_token(group.owner))


def append(owner: ApiClient) -> None:
    assert owner.post("/events", {"stream": "orders", "payload": 1}).status_code == 202


def test_a_worker_under_another_users_key_works_once_it_was_granted(owner):
    append(owner)
    user = make_user(Role.CONSUMER)
    worker = ApiClient(key=make_key(user, Right.CONSUME))
    refused = worker.post(f"{GROUP}/lease", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")

    given = owner.post(f"{GROUP}/grants", {"user": user.email, "rights": ["use"]})
    assert (given.status_code, given.json()["rights"]) == (201, ["use"])
    leased = worker.post(f"{GROUP}/lease", {}).json()["deliveries"]
    names = {name: leased[0][name] for name in ("delivery_id", "lease_token")}
    assert worker.post(f"{GROUP}/ack", {"deliveries": [names]}).status_code == 200
    # Using it is not managing it.
    assert worker.post(f"{GROUP}/seek", {"to": "latest"}).status_code == 403
    assert worker.delete(GROUP).status_code == 403

    assert owner.delete(f"{GROUP}/grants/{given.json()['id']}").status_code == 204
    assert worker.post(f"{GROUP}/lease", {}).status_code == 403


def test_who_manages_a_group_does_not_use_it(owner):
    keeper = make_user(Role.CONSUMER)
    make_team("keepers", keeper)
    assert owner.post(f"{GROUP}/grants", {"team": "keepers", "rights": ["manage"]}).status_code == 201
    client = ApiClient(token=make_token(keeper))

    assert client.post(f"{GROUP}/seek", {"to": "latest"}).status_code == 200
    assert client.patch(GROUP, {"paused": True}).status_code == 200
    assert client.post(f"{GROUP}/lease", {}).status_code == 403
    # What they manage they may share, and not give away.
    assert client.get(f"{GROUP}/grants").status_code == 200
    assert client.patch(GROUP, {"owner": "keepers"}).status_code == 403


def test_a_grant_is_refused_to_who_cannot_consume_the_stream(owner):
    owner.patch("/streams/orders", {"visibility": "restricted"})
    user = make_user(Role.CONSUMER)
    make_team("readers", user)

    for whom in ({"user": user.email}, {"team": "readers"}):
        answer = owner.post(f"{GROUP}/grants", whom | {"rights": ["use"]})
        assert (answer.status_code, answer.json()["code"]) == (422, "grant_useless")
    assert owner.post("/streams/orders/grants", {"team": "readers", "rights": ["consume"]}).status_code == 201
    for whom in ({"user": user.email}, {"team": "readers"}):
        # `as_caller` knows the team that the user is in.
        assert owner.post(f"{GROUP}/grants", whom | {"rights": ["use"]}).status_code == 201


def test_a_group_belongs_to_a_team(owner):
    ada, bo = make_user(Role.CONSUMER), make_user(Role.CONSUMER)
    make_team("shippers", ada, bo)
    made = ApiClient(token=make_token(ada)).post(
        "/streams/orders/consumer-groups", {"name": "ours", "owner": "shippers"}
    )
    assert (made.status_code, made.json()["owner"]) == (201, "shippers")
    ours = "/streams/orders/consumer-groups/ours"
    assert ApiClient(token=make_token(bo)).post(f"{ours}/seek", {"to": "latest"}).status_code == 200
    assert (
        ApiClient(token=make_token(make_user(Role.CONSUMER))).post(f"{ours}/seek", {"to": "latest"}).status_code == 403
    )


def test_a_grant_that_is_taken_back_reaches_who_waits(owner):
    user = make_user(Role.CONSUMER)
    grant_id = owner.post(f"{GROUP}/grants", {"user": user.email, "rights": ["use"]}).json()["id"]
    worker = ApiClient(key=make_key(user, Right.CONSUME))
    answers: list[int] = []
    waiting = threading.Thread(
        target=lambda: answers.append(worker.post(f"{GROUP}/lease", {"wait": 20}).status_code), daemon=True
    )
    waiting.start()
    time.sleep(0.5)
    assert owner.delete(f"{GROUP}/grants/{grant_id}").status_code == 204
    append(owner)
    waiting.join(15)
    assert answers == [403]
