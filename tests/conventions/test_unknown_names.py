"""A name that an endpoint does not know is refused, not ignored: a typo is found, nothing is assigned by mass."""

import pytest

from tests.client import ApiClient
from tests.conventions.test_permission_table import ROWS, Cast
from tests.factories import make_group, make_owner, make_stream, make_token, make_user

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

SIGNING_IN = [
    ("/auth/login", {"email": "a@example.com", "password": "a wrong password"}),
    ("/auth/refresh", {"refresh": "x"}),
    ("/auth/logout", {"refresh": "x"}),
]
# Each field is one that some object has and that a caller may not say, or one that there is not at all.
INJECTED = ["tenant_id", "is_admin", "id", "created_at", "no_such_field", "~/", "a" * 300]


def assert_unknown(answer, pointer: str) -> None:
    assert answer.status_code == 422, answer.content
    problem = answer.json()
    assert pointer in {fault["pointer"] for fault in problem["errors"]}, problem
    assert {fault["code"] for fault in problem["errors"]} == {"unknown_field"}
    assert problem["code"] in ("unknown_field", "invalid_events")
    assert len(problem["detail"]) < 400


@pytest.fixture(scope="module")
def cast(db_with_commits_for_all) -> Cast:
    return Cast()


def who_may(expected: dict[str, str]) -> str:
    """Who gets as far as to be told."""
    return "owner" if expected["owner"] != "403" else "admin"


@pytest.mark.parametrize("row", ROWS, ids=" ".join)
def test_every_route_refuses_a_parameter_that_it_does_not_have(cast, row):
    line, body, expected = ROWS[row]
    separator = "&" if "?" in line else "?"
    answer = cast.ask(who_may(expected), f"{line}{separator}no_such=1", body, is_refused=True)
    assert_unknown(answer, "?no_such")
    assert answer.json()["code"] == "unknown_field"


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row][1] is not None], ids=" ".join)
def test_every_route_refuses_a_field_that_it_does_not_have(cast, row):
    line, body, expected = ROWS[row]
    for name in INJECTED:
        if row[1].endswith("/events") and name == "id":
            continue
        pointer = name[:60].replace("~", "~0").replace("/", "~1")
        answer = cast.ask(who_may(expected), line, {**body, name: 1}, is_refused=True)
        if "~" in name and row[1].endswith(("/events", "/lease", "/ack", "/nack", "/extend", "/release")):
            assert answer.status_code == 422
            continue
        assert_unknown(answer, f"/{pointer}")


@pytest.fixture(scope="module")
def somebody(db_with_commits_for_all) -> None:
    make_user(email="a@example.com", password="another password")


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize(("path", "body"), SIGNING_IN)
def test_signing_in_refuses_them_too(path, body):
    assert_unknown(ApiClient().post(f"{path}?no_such=1", body), "?no_such")
    assert_unknown(ApiClient().post(path, {**body, "is_admin": True}), "/is_admin")


@pytest.fixture(scope="module")
def owner(db_with_commits_for_all) -> ApiClient:
    owner = make_owner()
    make_group(make_stream("orders", owner=owner), "billing")
    return ApiClient(token=make_token(owner))


@pytest.mark.parametrize("path", ["/streams/orders", "/streams/orders/consumer-groups/billing"])
def test_a_change_that_says_nothing_at_all_is_no_change(owner, path):
    answer = owner.patch(path, b"")
    assert (answer.status_code, answer.json()["code"]) == (400, "empty_body")
    assert owner.patch(path, {}).status_code == 200
