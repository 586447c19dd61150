"""Teams: admins make them and say who belongs to them; their members see them."""

import pytest

from accounts.models import Team
from accounts.roles import Role
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_owner, make_stream, make_team, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def admin() -> ApiClient:
    return ApiClient(token=make_token(make_user(Role.ADMIN)))


def test_a_team_from_its_making_to_its_end(admin):
    made = admin.post("/teams", {"name": "payments", "description": "who pays"})
    assert made.status_code == 201
    assert made.headers["Location"] == "/api/v1/teams/payments"
    user = make_owner()
    assert admin.put(f"/teams/payments/members/{user.email}").status_code == 204
    assert admin.put(f"/teams/payments/members/{user.email.upper()}").status_code == 204

    member = ApiClient(token=make_token(user))
    assert member.get("/teams/payments").json()["members"] == [user.email]
    assert admin.patch("/teams/payments", {"description": "who is paid"}).json()["description"] == "who is paid"
    assert [each["name"] for each in member.get("/teams").json()["data"]] == ["payments"]
    assert ApiClient(token=make_token(make_owner())).get("/teams").json()["data"] == []

    assert admin.delete("/teams/payments").status_code == 204
    assert member.get("/teams/payments").json()["code"] == "team_not_found"


def test_a_name_is_given_once(admin):
    make_team("payments")
    answer = admin.post("/teams", {"name": "payments"})
    assert (answer.status_code, answer.json()["code"]) == (409, "team_exists")


@pytest.mark.parametrize("name", ["", "a@b", "UPPER", "a" * 129, "a\x00", 7, None])
def test_a_team_has_the_name_of_a_stream_and_so_is_never_taken_for_a_user(admin, name):
    assert admin.post("/teams", {"name": name}).status_code in (400, 422)
    assert not Team.objects.exists()


def test_a_team_that_owns_something_stays(admin):
    user = make_owner()
    make_team("payments", user)
    owner = ApiClient(token=make_token(user))
    assert owner.post("/streams", {"name": "payouts", "owner": "payments"}).status_code == 201

    answer = admin.delete("/teams/payments")
    assert (answer.status_code, answer.json()["code"]) == (409, "team_owns")
    assert "payouts" in answer.json()["detail"]
    assert Stream.objects.filter(name="payouts", owner_team__name="payments").exists()


def test_with_a_team_go_its_grants_and_nothing_else(admin):
    stream = make_stream()
    stream.grants.create(team=make_team("readers"), rights=["consume"])
    assert admin.delete("/teams/readers").status_code == 204
    assert stream.grants.count() == 0
    stream.refresh_from_db()


def test_who_was_disabled_can_still_be_taken_out(admin):
    user = make_owner()
    make_team("payments", user)
    user.is_active = False
    user.save()
    assert admin.put(f"/teams/payments/members/{user.email}").json()["code"] == "user_not_found"
    assert admin.delete(f"/teams/payments/members/{user.email}").status_code == 204
    assert admin.get("/teams/payments").json()["members"] == []
    # Again, and who never was one.
    assert admin.delete(f"/teams/payments/members/{user.email}").status_code == 204
