"""What several may change has a version: a change that was meant for another one is refused, and nothing is undone."""

from typing import Any

import pytest
from django.db import transaction

from accounts.models import Team
from accounts.roles import Role
from consumers.models import ConsumerGroup
from consumers.services.groups import hold_group
from streams.models import Stream
from streams.services.lifecycle import hold_stream
from tests.client import ApiClient
from tests.consumers.leases import eventually
from tests.factories import make_group, make_stream, make_team, make_token, make_user
from tests.threads import Work, at_once, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

STREAM, GROUP, TEAM = "/streams/orders", "/streams/orders/consumer-groups/billing", "/teams/payments"
CHANGES: dict[str, list[dict[str, Any]]] = {
    STREAM: [
        {"description": "mine"},
        {"paused": True},
        {"labels": {"a": "b"}},
        {"visibility": "restricted"},
        {"retention": {"max_events": 7}},
        {"owner": "payments"},
    ],
    GROUP: [
        {"ack_wait": 7},
        {"max_failures": 2},
        {"max_deliveries": 40},
        {"backoff": [9]},
        {"ordering": "partition"},
        {"max_in_flight": 5},
        {"paused": True},
        {"owner": "payments"},
    ],
    TEAM: [{"description": "mine"}],
}
CONFIRMED = {STREAM: "?confirm=orders", GROUP: "?confirm=billing", TEAM: ""}
KINDS = pytest.mark.parametrize("path", [STREAM, GROUP, TEAM])


@pytest.fixture
def admin() -> ApiClient:
    user = make_user(Role.ADMIN, Role.PRODUCER, Role.CONSUMER, email="ada@example.com")
    make_team("payments", user)
    make_group(make_stream("orders", owner=user), "billing")
    return ApiClient(token=make_token(user))


def etag(client: ApiClient, path: str) -> str:
    return str(client.get(path).headers["ETag"])


@pytest.mark.parametrize(("path", "change"), [(path, each) for path, all_ in CHANGES.items() for each in all_])
def test_every_setting_counts_and_a_change_for_an_older_version_is_refused(admin, path, change):
    seen = etag(admin, path)
    changed = admin.patch(path, change)
    assert changed.status_code == 200
    assert changed.headers["ETag"] == etag(admin, path) != seen
    before = admin.get(path).json()

    deletion = f"{path}{CONFIRMED[path]}"
    for refused in (admin.patch(path, CHANGES[path][0], If_Match=seen), admin.delete(deletion, If_Match=seen)):
        assert (refused.status_code, refused.json()["code"]) == (412, "precondition_failed")
        assert refused.headers["ETag"] == changed.headers["ETag"]
        assert admin.get(path).json() == before


@KINDS
def test_the_version_that_is_there_is_changed_and_deleted(admin, path):
    changed = admin.patch(path, CHANGES[path][0], If_Match=f'"other", {etag(admin, path)}')
    assert changed.status_code == 200
    assert admin.delete(path + CONFIRMED[path], If_Match=changed.headers["ETag"]).status_code == 204
    assert admin.get(path).status_code == 404


@KINDS
@pytest.mark.parametrize("given", ["*", None], ids=["any", "without"])
def test_who_names_no_version_means_any(admin, path, given):
    headers = {"If_Match": given} if given else {}
    assert admin.patch(path, CHANGES[path][0], **headers).status_code == 200


@KINDS
@pytest.mark.parametrize("form", ['W/"{}"', '"{}x"', "{}", '"{}', '""', ",", '"*"'])
def test_what_is_not_exactly_the_version_is_another_one(admin, path, form):
    given = form.format(etag(admin, path).strip('"'))
    assert admin.patch(path, CHANGES[path][0], If_Match=given).status_code == 412


@KINDS
def test_who_has_it_is_told_so_without_it(admin, path):
    whole = admin.get(path)
    for known in (whole.headers["ETag"], f'"other", W/{whole.headers["ETag"]}', "*"):
        answer = admin.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    assert admin.get(path, headers={"If-None-Match": '"other"'}).json() == whole.json()


def test_it_says_who_changed_what(admin):
    for path in (STREAM, GROUP):
        seen = etag(admin, path)
        admin.patch(path, {"paused": True})
        detail = admin.patch(path, {"paused": False}, If_Match=seen).json()["detail"]
        assert "ada@example.com changed is_paused at 2" in detail
        assert "Nothing was done" in detail


def test_what_happens_in_it_is_no_other_version(admin):
    seen = etag(admin, STREAM), etag(admin, GROUP)
    assert admin.post(f"{STREAM}/events", {"payload": 1}).status_code == 202
    assert admin.post(f"{GROUP}/offsets", {"offset": 1}).status_code == 200
    # Nor what changes nothing.
    assert admin.patch(STREAM, {"paused": False}).json()["updated_at"] == admin.get(STREAM).json()["updated_at"]
    assert admin.patch(GROUP, {}).status_code == 200
    assert (etag(admin, STREAM), etag(admin, GROUP)) == seen


def test_the_members_of_a_team_count(admin):
    member = make_user(Role.CONSUMER)
    seen = etag(admin, TEAM)
    admin.put(f"{TEAM}/members/{member.email}")
    assert admin.delete(TEAM, If_Match=seen).status_code == 412
    seen = etag(admin, TEAM)
    admin.delete(f"{TEAM}/members/{member.email}")
    assert admin.delete(TEAM, If_Match=seen).status_code == 412


def test_a_dry_run_tells_of_a_change_too(admin):
    seen = etag(admin, STREAM)
    admin.patch(STREAM, {"paused": True})
    retention = {"retention": {"max_events": 7}}
    assert admin.patch(f"{STREAM}?dry_run=true", retention, If_Match=seen).status_code == 412
    assert admin.patch(f"{STREAM}?dry_run=true", retention, If_Match=etag(admin, STREAM)).status_code == 200


@KINDS
def test_of_those_who_change_the_same_version_at_once_one_succeeds(admin, path):
    seen = etag(admin, path)
    name = "max_failures" if path == GROUP else "description"
    values = [number + 10 if path == GROUP else f"by {number}" for number in range(4)]
    answers = at_once(*[lambda value=value: admin.patch(path, {name: value}, If_Match=seen) for value in values])
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]
    (winner,) = [value for value, answer in zip(values, answers, strict=True) if answer.status_code == 200]
    assert admin.get(path).json()[name] == winner


@KINDS
def test_the_version_is_looked_at_when_nobody_else_can_change_it_any_more(admin, path):
    seen = etag(admin, path)
    with transaction.atomic():
        if path == STREAM:
            hold_stream(Stream.objects.get(), None)
            Stream.objects.update(description="theirs")
        elif path == GROUP:
            hold_group(ConsumerGroup.objects.get(), None)
            ConsumerGroup.objects.update(max_failures=3)
        else:
            Team.objects.update(description="theirs")
        patch = Work(lambda: admin.patch(path, CHANGES[path][0], If_Match=seen))
        eventually(waits_for_a_lock)
    assert patch.result().status_code == 412
