"""Filtering dead letters, and acting on many at a rate, over HTTP: who may cancel, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from accounts.roles import Role
from consumers.api import dead_letters
from consumers.models import BulkAction, ConsumerGroup, DeadLetter
from tests.client import ApiClient
from tests.factories import make_dead_letter, make_group, make_stream, make_token, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.fixture
def owner():
    return make_user(Role.PRODUCER, Role.CONSUMER)


@pytest.fixture
def group(owner) -> ConsumerGroup:
    return make_group(make_stream("orders", owner=owner), "shipping", mode="lease")


@pytest.fixture
def client(owner) -> ApiClient:
    return ApiClient(token=make_token(owner))


def offsets_of(answer) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [each["offset"] for each in answer.json()["data"]]


def faults_of(answer) -> list[str]:
    assert answer.status_code == 422, answer.content
    return [fault["pointer"] for fault in answer.json()["errors"]]


# --- filters ---


def test_the_list_is_narrowed_by_time_and_text(client, group):
    for offset in range(1, 7):
        error = "no Çelik" if offset % 2 else "else"
        make_dead_letter(group, offset, last_error=error, created_at=NOON + timedelta(minutes=offset))

    assert offsets_of(client.get("/dead-letters", text="çelik")) == [5, 3, 1]
    between = {"since": "2026-11-28T12:02:00Z", "until": "2026-11-28T13:05:00+01:00"}
    assert offsets_of(client.get("/dead-letters", **between)) == [4, 3, 2]
    assert offsets_of(client.get("/dead-letters", text="çelik", **between)) == [3]


def test_a_page_may_be_short_and_go_on_until_all_was_looked_at(client, group, monkeypatch):
    monkeypatch.setattr(dead_letters, "SEARCH_DEAD_LETTERS", 3)
    for offset in range(1, 10):
        make_dead_letter(group, offset, last_error="rare" if offset in (1, 8) else "common")
    pages, cursor = [], {}
    while True:
        answer = client.get("/dead-letters", text="rare", **cursor)
        pages.append(offsets_of(answer))
        if answer.json()["next"] is None:
            break
        cursor = {"cursor": answer.json()["next"]}
    assert pages == [[8], [], [1]]


def test_a_page_that_is_full_goes_on_behind_its_last_row(client, group):
    for offset in range(1, 6):
        make_dead_letter(group, offset, last_error="rare" if offset != 3 else "common")
    first = client.get("/dead-letters", text="rare", limit="2")
    second = client.get("/dead-letters", text="rare", limit="2", cursor=first.json()["next"])
    assert (offsets_of(first), offsets_of(second), second.json()["next"]) == ([5, 4], [2, 1], None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": ""}, "text"),
        ({"text": "x" * 201}, "text"),
        ({"since": "yesterday"}, "since"),
        ({"until": "2026-11-28T12:00:00"}, "until"),
        ({"since": "2026-11-28T12:00:00Z", "until": "2026-11-28T12:00:00Z"}, "until"),
    ],
)
def test_a_filter_that_is_wrong_is_refused_once_and_by_its_name(client, group, wrong, field):
    assert faults_of(client.get("/dead-letters", **wrong)) == [f"?{field}"]
    for verb in ("redrive", "discard"):
        assert faults_of(client.post(f"/dead-letters/{verb}", {"filter": wrong})) == [f"/filter/{field}"]


def test_a_bulk_action_acts_on_exactly_what_the_list_shows(client, group):
    for offset in range(1, 7):
        make_dead_letter(
            group, offset, last_error="it" if offset < 4 else "else", created_at=NOON + timedelta(hours=offset)
        )
    wanted = {"text": "IT", "since": "2026-11-28T14:00:00Z"}
    shown = offsets_of(client.get("/dead-letters", **wanted))

    preview = client.post("/dead-letters/discard", {"filter": wanted, "dry_run": True}).json()
    assert (preview["count"], preview["is_exact"], shown) == (2, True, [3, 2])
    done = client.post("/dead-letters/discard", {"filter": wanted}).json()
    assert (done["done_count"], done["status"], done["filter"]["text"]) == (2, "finished", "IT")
    assert sorted(DeadLetter.objects.filter(status="discarded").values_list("offset", flat=True)) == sorted(shown)


# --- at a rate, and cancelled ---


@pytest.fixture
def running(client, group) -> dict:
    for offset in range(1, 4):
        make_dead_letter(group, offset)
    answer = client.post("/dead-letters/redrive", {"filter": {"group": "shipping"}, "per_second": 5, "note": "slowly"})
    assert answer.status_code == 202
    return answer.json()


def test_a_rate_is_kept_and_shown(client, running):
    assert (running["per_second"], running["status"], running["done_count"]) == (5, "running", 0)
    assert client.get("/dead-letters/bulk-actions").json() == {"data": [running], "next": None}


@pytest.mark.parametrize("wrong", [0, -1, 201, 1.5, "5", True, None])
@pytest.mark.parametrize("verb", ["redrive", "discard"])
def test_a_rate_is_a_whole_number_from_1_to_200(client, group, verb, wrong):
    body = {"filter": {}, "per_second": wrong}
    assert faults_of(client.post(f"/dead-letters/{verb}", body)) == ["/per_second"]
    assert not BulkAction.objects.exists()


def test_who_asked_for_it_cancels_it_and_may_say_so_twice(client, running):
    path = f"/dead-letters/bulk-actions/{running['id']}"
    first = client.post(f"{path}/cancel")
    again = client.post(f"{path}/cancel")

    assert (first.status_code, first.json()["status"]) == (200, "cancelled")
    assert again.json() == first.json() == client.get(path).json()
    (entry,) = client.get("/audit-log", action="bulk_action.cancelled").json()["data"]
    assert (entry["stream"], entry["group"]) == ("orders", "shipping")
    asked = client.get("/audit-log", action="dead_letters.redriven").json()["data"]
    assert asked[0]["after"]["per_second"] == 5


def test_what_is_finished_answers_409_and_stays(client, group):
    make_dead_letter(group, 1)
    done = client.post("/dead-letters/discard", {"filter": {}}).json()
    answer = client.post(f"/dead-letters/bulk-actions/{done['id']}/cancel")
    assert (answer.status_code, answer.json()["code"]) == (409, "bulk_action_finished")
    assert client.get(f"/dead-letters/bulk-actions/{done['id']}").json() == done


def test_whoever_manages_all_its_groups_may_cancel_it_and_nobody_else(client, group, owner):
    other = make_group(make_stream("other", owner=owner), "other", mode="lease")
    make_dead_letter(group, 1)
    make_dead_letter(other, 1)
    both = client.post("/dead-letters/discard", {"filter": {}, "per_second": 1}).json()["id"]
    one = client.post("/dead-letters/discard", {"filter": {"group": "shipping"}, "per_second": 1}).json()["id"]
    keeper, reader, admin = make_user(Role.CONSUMER), make_user(Role.CONSUMER), make_user(Role.ADMIN)
    group.grants.create(user=keeper, rights=["manage"])

    def seen_by(user) -> list[int]:
        return [
            each["id"] for each in ApiClient(token=make_token(user)).get("/dead-letters/bulk-actions").json()["data"]
        ]

    assert (seen_by(owner), seen_by(admin)) == ([one, both], [one, both])
    assert (seen_by(keeper), seen_by(reader)) == ([one], [])
    for user, action, status in ((reader, one, 404), (keeper, both, 404), (keeper, one, 200), (admin, both, 200)):
        answer = ApiClient(token=make_token(user)).post(f"/dead-letters/bulk-actions/{action}/cancel")
        assert answer.status_code == status, (user, action)
    assert BulkAction.objects.get(pk=one).cancelled_by == keeper.as_caller().reference


def test_one_that_is_about_no_group_is_not_everybodys(client, group):
    nothing = client.post("/dead-letters/discard", {"filter": {"group": "nowhere"}}).json()["id"]
    stranger = ApiClient(token=make_token(make_user(Role.CONSUMER)))
    assert stranger.get("/dead-letters/bulk-actions").json()["data"] == []
    assert stranger.get(f"/dead-letters/bulk-actions/{nothing}").status_code == 404
    assert client.get(f"/dead-letters/bulk-actions/{nothing}").status_code == 200


@pytest.mark.parametrize("wrong", ["0", "x", "9" * 30, "-1"])
def test_what_is_no_id_is_missing(client, wrong):
    assert client.post(f"/dead-letters/bulk-actions/{wrong}/cancel").json()["code"] == "bulk_action_not_found"
