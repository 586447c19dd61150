"""Two teams share a stream: what was granted can be done, within a second everywhere, and no more."""

import pytest

from accounts.conf import MAX_GRANTS
from accounts.roles import Right, Role
from streams.lookup import forget_streams
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_team, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def stream() -> Stream:
    return make_stream("orders", owner=make_owner(), visibility="restricted")


@pytest.fixture
def owner(stream: Stream) -> ApiClient:
    assert stream.owner is not None
    return ApiClient(token=make_token(stream.owner))


def test_a_second_producer_sends_once_they_were_granted_it_and_not_any_more_when_it_was_taken_back(owner, stream):
    other = make_user(Role.PRODUCER, email="bo@example.com")
    key = ApiClient(key=make_key(other, Right.PRODUCE))
    event = {"stream": "orders", "payload": 1}
    assert key.post("/events", event).json()["code"] == "stream_not_found"

    given = owner.post("/streams/orders/grants", {"user": "Bo@Example.com", "rights": ["produce"]})
    assert given.status_code == 201
    assert key.post("/events", event).status_code == 202
    assert [each["name"] for each in key.get("/streams").json()["data"]] == ["orders"]
    # Producing is not reading.
    assert key.get("/streams/orders/events").json()["code"] == "scope_missing"

    assert owner.delete(f"/streams/orders/grants/{given.json()['id']}").status_code == 204
    assert key.post("/events", event).json()["code"] == "stream_not_found"
    assert key.get("/streams").json()["data"] == []


def test_a_team_reads_what_was_granted_to_it_as_long_as_one_is_its_member(owner, stream):
    admin = ApiClient(token=make_token(make_user(Role.ADMIN)))
    reader = make_user(Role.CONSUMER, email="cy@example.com")
    assert admin.post("/teams", {"name": "billing"}).status_code == 201
    assert owner.post("/streams/orders/grants", {"team": "billing", "rights": ["consume"]}).status_code == 201
    key = ApiClient(key=make_key(reader, Right.CONSUME))
    assert key.get("/streams/orders/events").status_code == 404

    assert admin.put("/teams/billing/members/cy@example.com").status_code == 204
    assert key.get("/streams/orders/events").status_code == 200
    assert key.post("/streams/orders/consumer-groups", {"name": "mine"}).status_code == 201

    assert admin.delete("/teams/billing/members/cy@example.com").status_code == 204
    assert key.get("/streams/orders/events").status_code == 404


def test_a_new_grant_to_the_same_user_replaces_the_old_one(owner, stream):
    make_user(Role.PRODUCER, Role.CONSUMER, email="bo@example.com")
    first = owner.post("/streams/orders/grants", {"user": "bo@example.com", "rights": ["produce", "consume"]})
    second = owner.post("/streams/orders/grants", {"user": "bo@example.com", "rights": ["consume"]})

    assert (first.status_code, second.status_code) == (201, 200)
    listed = owner.get("/streams/orders/grants").json()["data"]
    assert [(each["id"], each["user"], each["team"], each["rights"]) for each in listed] == [
        (first.json()["id"], "bo@example.com", None, ["consume"])
    ]
    assert stream.owner is not None
    assert listed[0]["granted_by"] == stream.owner.email


def test_a_grant_never_gives_more_than_the_role_does(owner, stream):
    make_user(Role.CONSUMER, email="cy@example.com")
    refused = owner.post("/streams/orders/grants", {"user": "cy@example.com", "rights": ["consume", "produce"]})
    assert (refused.status_code, refused.json()["code"]) == (422, "grant_useless")
    assert "produce" in refused.json()["detail"]

    # Through a team it is not refused: other members may have the role.
    consumer = make_user(Role.CONSUMER)
    make_team("mixed", consumer)
    assert owner.post("/streams/orders/grants", {"team": "mixed", "rights": ["produce"]}).status_code == 201
    key = ApiClient(key=make_key(consumer))
    assert key.post("/events", {"stream": "orders", "payload": 1}).status_code == 403


def test_a_grant_never_gives_more_than_the_key_does(owner, stream):
    other = make_owner()
    owner.post("/streams/orders/grants", {"user": other.email, "rights": ["produce", "consume"]})
    event = {"stream": "orders", "payload": 1}

    assert ApiClient(key=make_key(other, Right.CONSUME)).post("/events", event).status_code == 403
    assert ApiClient(key=make_key(other, streams=["else"])).post("/events", event).status_code == 404
    assert ApiClient(key=make_key(other, streams=["orders"])).post("/events", event).status_code == 202


@pytest.mark.parametrize(
    ("body", "status", "code", "pointer"),
    [
        ({"rights": ["consume"]}, 422, "invalid_request", "/user"),
        ({"user": "bo@example.com", "team": "t", "rights": ["consume"]}, 422, "invalid_request", "/user"),
        ({"user": "bo@example.com", "rights": []}, 422, "invalid_request", "/rights"),
        ({"user": "bo@example.com", "rights": ["admin"]}, 422, "invalid_request", "/rights/0"),
        ({"user": "bo@example.com", "rights": "consume"}, 422, "invalid_request", "/rights"),
        ({"user": "nobody@example.com", "rights": ["consume"]}, 422, "user_not_found", None),
        ({"team": "nobody", "rights": ["consume"]}, 422, "unknown_team", None),
        ({"team": "a\x00b", "rights": ["consume"]}, 400, "invalid_unicode", None),
    ],
)
def test_what_is_no_grant_is_refused_and_says_where(owner, stream, body, status, code, pointer):
    make_owner()
    make_user(Role.CONSUMER, email="bo@example.com")
    answer = owner.post("/streams/orders/grants", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    if pointer:
        assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert stream.grants.count() == 0


@pytest.mark.parametrize("grant_id", ["0", "999999", "9" * 40, "-1", "x", "²"])
def test_a_grant_that_is_not_there_is_not_found(owner, stream, grant_id):
    answer = owner.delete(f"/streams/orders/grants/{grant_id}")
    assert (answer.status_code, answer.json()["code"]) == (404, "grant_not_found")


def test_a_grant_on_another_stream_is_not_found(owner, stream):
    theirs = make_stream("theirs").grants.create(user=make_owner(), rights=["consume"])
    assert owner.delete(f"/streams/orders/grants/{theirs.pk}").status_code == 404
    theirs.refresh_from_db()


def test_there_are_at_most_so_many_grants_on_a_stream(owner, stream):
    stream.grants.bulk_create(
        stream.grants.model(stream=stream, team=make_team(), rights=["consume"]) for _ in range(MAX_GRANTS)
    )
    make_team("one-more")
    answer = owner.post("/streams/orders/grants", {"team": "one-more", "rights": ["consume"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_grants")


# --- ownership -------------------------------------------------------------------------------------------


def test_a_team_owns_a_stream_and_each_member_may_do_everything_with_it():
    ada, bo = make_owner(), make_owner()
    make_team("payments", ada, bo)
    made = ApiClient(token=make_token(ada)).post(
        "/streams", {"name": "payouts", "visibility": "restricted", "owner": "payments"}
    )
    assert (made.status_code, made.json()["owner"]) == (201, "payments")

    colleague = ApiClient(token=make_token(bo))
    assert colleague.post("/events", {"stream": "payouts", "payload": 1}).status_code == 202
    assert colleague.patch("/streams/payouts", {"description": "of all of us"}).status_code == 200
    assert [each["name"] for each in colleague.get("/streams", owner="payments").json()["data"]] == ["payouts"]
    assert ApiClient(token=make_token(make_owner())).get("/streams/payouts").status_code == 404


def test_a_stream_is_given_to_a_team_by_its_owner_and_not_by_who_only_manages_it(owner, stream):
    deputy = make_owner()
    assert stream.owner is not None
    make_team("payments", stream.owner)
    make_team("deputies", deputy)
    owner.post("/streams/orders/grants", {"user": deputy.email, "rights": ["manage"]})

    taken = ApiClient(token=make_token(deputy)).patch("/streams/orders", {"owner": "deputies"})
    assert (taken.status_code, taken.json()["code"]) == (403, "scope_missing")
    # Nor to a team of others, which could not be told from one that is not there.
    assert owner.patch("/streams/orders", {"owner": "deputies"}).json()["code"] == "unknown_team"
    assert owner.patch("/streams/orders", {"owner": "nowhere"}).json()["code"] == "unknown_team"
    assert owner.patch("/streams/orders", {"owner": deputy.email}).json()["code"] == "scope_missing"

    given = owner.patch("/streams/orders", {"owner": "payments"})
    assert (given.status_code, given.json()["owner"]) == (200, "payments")


def test_an_admin_gives_a_stream_to_anybody(stream):
    admin, heir = ApiClient(token=make_token(make_user(Role.ADMIN))), make_owner()
    assert admin.patch("/streams/orders", {"owner": heir.email}).json()["owner"] == heir.email
    forget_streams()
    assert stream.owner is not None
    assert ApiClient(token=make_token(stream.owner)).get("/streams/orders").status_code == 404
