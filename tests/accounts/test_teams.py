"""Teams: admins make them and say who belongs to them; their members see them."""

import pytest

from accounts.models import Team
from accounts.roles import Right, Role, Scope
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_team, make_token, make_user

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
    # An address that is nobody's is a typo: whoever was meant would stay.
    answer = admin.delete("/teams/payments/members/nobody@example.com")
    assert (answer.status_code, answer.json()["code"]) == (422, "user_not_found")


def test_a_change_that_says_nothing_changes_nothing(admin):
    make_team("payments")
    admin.patch("/teams/payments", {"description": "They pay."})
    assert admin.patch("/teams/payments", {}).json()["description"] == "They pay."


def members_seen_by(client: ApiClient) -> list[list[str] | None]:
    """The members of the team, as the list and as its own address tell them."""
    (listed,) = client.get("/teams").json()["data"]
    one = client.get("/teams/payments")
    assert (one.status_code, one.json()["name"], listed["name"]) == (200, "payments", "payments")
    assert listed == one.json()
    return [listed["members"], one.json()["members"]]


def test_people_are_told_who_is_in_their_teams_and_their_keys_the_names_alone():
    ada, bob = make_owner(), make_owner()
    make_team("payments", ada, bob)
    make_team("others", bob)
    assert members_seen_by(ApiClient(token=make_token(ada))) == [sorted([ada.email, bob.email])] * 2
    for key in (make_key(ada), make_key(ada, Right.CONSUME), make_key(ada, streams=["orders"])):
        client = ApiClient(key=key)
        assert members_seen_by(client) == [None, None]
        assert bob.email not in client.get("/teams").content.decode()
        assert client.get("/teams/others").status_code == 404
    # The name is what a key needs: for a stream that is to be the team's.
    made = ApiClient(key=make_key(ada)).post("/streams", {"name": "payouts", "owner": "payments"})
    assert (made.status_code, made.json()["owner"]) == (201, "payments")


def test_an_admins_key_is_told_them_with_the_scope_admin_alone():
    root = make_user(Role.ADMIN)
    make_team("payments", root)
    for scopes, streams, told in (
        ([*Right], None, None),
        ([*Right, Scope.ADMIN], ["orders"], None),
        ([*Right, Scope.ADMIN], None, [root.email]),
    ):
        assert members_seen_by(ApiClient(key=make_key(root, *scopes, streams=streams))) == [told, told]
