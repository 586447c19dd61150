"""What the live tail follows: rows as events come, for a session, as long as it lasts and the right to the stream does."""

import time
from collections.abc import Callable

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from accounts.roles import Role
from observability.conf import TAIL_MAX_BEHIND_EVENTS, TAIL_ROWS
from streams.log import get_log
from streams.lookup import load_stream
from streams.models import Stream, Visibility
from streams.services.lifecycle import change_stream, delete_stream
from tests.browser.story import append
from tests.factories import make_owner, make_stream, make_user
from tests.live import PATIENCE_SECONDS, Block, LiveTail
from tests.web_server import WebServer

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

WITHIN_SECONDS = 2.0
BACKEND = "django.contrib.auth.backends.ModelBackend"


@pytest.fixture(scope="module")
def server(shared_web) -> WebServer:
    return shared_web


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def orders(owner):
    return make_stream(owner=owner)


def cookie_of(user: User) -> str:
    client = Client()
    client.force_login(user, BACKEND)
    return f"sessionid={client.cookies['sessionid'].value}"


def follow(server: WebServer, stream: Stream, query: str = "", **headers: str) -> LiveTail:
    live = LiveTail(server.port, f"/streams/{stream.name}/tail/live{query}", timeout=PATIENCE_SECONDS, **headers)
    assert live.status == 200, live.answer.read()
    return live


def told(block: Block | None) -> dict:
    assert block is not None
    assert block.kind == "message", block
    found = block.json()
    assert block.id == found["at"]
    return found


def rows_until(live: LiveTail, count: int) -> list[dict]:
    rows: list[dict] = []
    while len(rows) < count:
        rows += told(live.next_event())["rows"]
    return rows


# --- what is told ---------------------------------------------------------------------------------------------


def test_the_first_word_comes_at_once_and_then_events_as_rows(server, owner, orders):
    append(orders, {"payload": "before"})
    with follow(server, orders, Cookie=cookie_of(owner)) as live:
        assert live.answer.headers["Content-Type"] == "text/event-stream"
        assert live.answer.headers["Cache-Control"] == "no-store"
        assert live.answer.headers["X-Content-Type-Options"] == "nosniff"
        assert told(live.next_event()) == {"at": "0=1", "rows": [], "skipped": []}
        append(orders, {"payload": {"n": 1, "n": 2.50}, "type": "order.created", "key": "k"})  # noqa: F601
        [row] = told(live.next_event())["rows"]
        assert row.pop("recorded_at").endswith("Z")
        assert row == {
            "partition": 0,
            "offset": 2,
            "type": "order.created",
            "key": "k",
            "preview": '{"n":2.5}',
            "is_simulated": False,
            "is_erased": False,
            "due_at": None,
            "expires_at": None,
        }


def test_an_event_for_later_says_when_it_is_due_and_until_when(server, owner, orders):
    with follow(server, orders, Cookie=cookie_of(owner)) as live:
        live.next_event()
        append(orders, {"payload": 1, "deliver_after": "2026-01-01T10:00:00Z", "expires_after": 60})
        [row] = told(live.next_event())["rows"]
        assert row["due_at"] == "2026-01-01T10:00:00.000Z"
        assert row["expires_at"] > row["recorded_at"]


def test_it_goes_on_after_the_place_that_came_last(server, owner, orders):
    cookie = cookie_of(owner)
    with follow(server, orders, "?at=0=0", Cookie=cookie) as live:
        append(orders, {"payload": 1}, {"payload": 2})
        assert [row["offset"] for row in rows_until(live, 2)] == [1, 2]
        last_id = live.last_id
    append(orders, {"payload": 3})
    with follow(server, orders, "?at=0=0", Cookie=cookie, Last_Event_ID=last_id) as again:
        assert [row["offset"] for row in rows_until(again, 1)] == [3]


def test_every_condition_of_the_filter_holds_and_the_place_moves_past_the_others(server, owner, orders):
    with follow(server, orders, "?type=paid&path=order&value=7&text=x", Cookie=cookie_of(owner)) as live:
        told(live.next_event())
        append(
            orders,
            {"type": "paid", "payload": {"order": 7, "note": "x"}},
            {"type": "paid", "payload": {"order": 8, "note": "x"}},
            {"type": "paid", "payload": {"order": 7}},
            {"type": "made", "payload": {"order": 7, "note": "x"}},
        )
        message = told(live.next_event())
    assert ([row["offset"] for row in message["rows"]], message["at"]) == ([1], "0=4")


def test_the_rows_of_several_partitions_come_by_time(server, owner):
    wide = make_stream(owner=owner, partitions=3)
    with follow(server, wide, Cookie=cookie_of(owner)) as live:
        append(wide, *({"key": f"k{number}", "payload": number} for number in range(60)))
        rows = rows_until(live, 60)
    assert {row["partition"] for row in rows} == {0, 1, 2}


def test_a_payload_is_told_as_far_as_a_row_shows_it(server, owner, orders):
    with follow(server, orders, Cookie=cookie_of(owner)) as live:
        append(orders, {"payload": "ä" * 100_000}, {"payload": "𝄞" * 239})
        first, second = rows_until(live, 2)
    assert first["preview"] == '"' + "ä" * 239 + "…"
    assert second["preview"] == '"' + "𝄞" * 239 + "…"


def test_what_retention_took_is_told(server, owner, orders):
    for number in range(3):
        append(orders, {"payload": number})
    [partition] = load_stream(orders.name).partitions
    get_log().trim(partition, keep_events=1)
    with follow(server, orders, "?at=0=0", Cookie=cookie_of(owner)) as live:
        told(live.next_event())
        message = told(live.next_event())
    [gap] = message["skipped"]
    assert (gap["first_offset"], gap["last_offset"], gap["event_count"]) == (1, 2, 2)
    assert "Retention" in gap["reason"]
    assert [row["offset"] for row in message["rows"]] == [3]


def test_who_is_far_behind_goes_on_near_the_head_and_is_told_what_was_passed_by(server, owner, orders):
    count = TAIL_MAX_BEHIND_EVENTS + 1
    for start in range(0, count, 1_000):
        append(orders, *({"payload": number} for number in range(start, min(start + 1_000, count))))
    with follow(server, orders, "?at=0=0", Cookie=cookie_of(owner)) as live:
        [gap] = told(live.next_event())["skipped"]
        rows = rows_until(live, TAIL_ROWS)
    assert (gap["first_offset"], gap["last_offset"]) == (1, count - TAIL_ROWS)
    assert [row["offset"] for row in rows] == list(range(count - TAIL_ROWS + 1, count + 1))


def test_a_place_of_a_stream_that_was_made_anew_is_its_head(server, owner, orders):
    with follow(server, orders, "?at=0=5000", Cookie=cookie_of(owner)) as live:
        assert told(live.next_event())["at"] == "0=0"
        append(orders, {"payload": 1})
        assert [row["offset"] for row in rows_until(live, 1)] == [1]


# --- who is told ----------------------------------------------------------------------------------------------


def refused(server: WebServer, stream: Stream, query: str = "", **headers: str) -> tuple[int, str]:
    with LiveTail(server.port, f"/streams/{stream.name}/tail/live{query}", timeout=PATIENCE_SECONDS, **headers) as live:
        assert live.answer.headers["Content-Type"] == "application/problem+json"
        return live.status, Block(data=[live.answer.read().decode()]).json()["code"]


def test_only_a_session_counts(server, owner, orders):
    cookie = cookie_of(owner)
    assert refused(server, orders) == (401, "credentials_missing")
    for wrong in ("sessionid=", "sessionid=x", f"sessionid={'a' * 32}", "sessionid=%00", f"{cookie}x", "sessionid=ä"):
        assert refused(server, orders, Cookie=wrong.encode().decode("latin-1"))[0] == 401, wrong


def test_a_page_of_another_site_is_refused_though_it_brings_the_session(server, owner, orders):
    for site in ("cross-site", "same-site"):
        assert refused(server, orders, Cookie=cookie_of(owner), Sec_Fetch_Site=site) == (401, "credentials_missing")
    with follow(server, orders, Cookie=cookie_of(owner), Sec_Fetch_Site="same-origin") as live:
        told(live.next_event())


def test_a_page_that_was_opened_for_somebody_else_is_told_nothing(server, owner, orders):
    admin = make_user(*Role)
    query = f"?user={owner.pk}"
    assert refused(server, orders, query, Cookie=cookie_of(admin)) == (401, "credentials_missing")
    with follow(server, orders, query, Cookie=cookie_of(owner)) as live:
        told(live.next_event())


def test_a_stream_that_is_not_theirs_looks_like_none(server, orders):
    Stream.objects.filter(pk=orders.pk).update(visibility=Visibility.RESTRICTED)
    assert refused(server, orders, Cookie=cookie_of(make_user(Role.CONSUMER))) == (404, "stream_not_found")


@pytest.mark.parametrize("query", ["?at=x", "?at=0=-1", "?at=", "?nothing=1", "?type=a&type=b", "?partition=7"])
def test_what_no_page_asks_is_refused(server, owner, orders, query):
    status, _ = refused(server, orders, query, Cookie=cookie_of(owner))
    assert status in (404, 422)


# --- until it ends --------------------------------------------------------------------------------------------


def sign_out(user: User, stream: Stream) -> None:
    Session.objects.all().delete()


def disable(user: User, stream: Stream) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def change_password(user: User, stream: Stream) -> None:
    user.set_password("another horse battery staple")
    user.save()


def delete(user: User, stream: Stream) -> None:
    delete_stream(stream=stream, confirm=stream.name)


def take_roles(user: User, stream: Stream) -> None:
    user.groups.clear()


LOSSES = [
    (sign_out, "invalid_credentials"),
    (disable, "invalid_credentials"),
    (change_password, "invalid_credentials"),
    (take_roles, "scope_missing"),
    (delete, "stream_not_found"),
]


@pytest.mark.parametrize(("lose", "code"), LOSSES)
def test_it_ends_with_the_session_and_with_the_right(server, owner, orders, lose: Callable, code: str):
    with follow(server, orders, Cookie=cookie_of(owner)) as live:
        told(live.next_event())
        time.sleep(0.5)
        lose(owner, orders)
        lost_at = time.monotonic()
        end = live.next_event()
        assert time.monotonic() - lost_at < WITHIN_SECONDS
        assert end is not None
        assert (end.kind, end.json()["code"]) == ("end", code)
        assert live.next_block() is None


@pytest.mark.parametrize("ending", [0, 1])
def test_the_end_of_one_session_of_a_person_is_noticed_and_none_of_another(server, owner, orders, ending):
    cookies = [cookie_of(owner), cookie_of(owner)]
    with follow(server, orders, Cookie=cookies[0]) as first, follow(server, orders, Cookie=cookies[1]) as second:
        lives = [first, second]
        for live in lives:
            told(live.next_event())
        Session.objects.filter(pk=cookies[ending].partition("=")[2]).delete()
        ended_at = time.monotonic()
        end = lives[ending].next_event()
        assert end is not None
        assert end.kind == "end"
        assert time.monotonic() - ended_at < WITHIN_SECONDS
        append(orders, {"payload": 1})
        assert [row["offset"] for row in rows_until(lives[1 - ending], 1)] == [1]


def test_what_comes_after_the_sign_out_reaches_nobody(server, owner, orders):
    with follow(server, orders, Cookie=cookie_of(owner)) as live:
        told(live.next_event())
        Session.objects.all().delete()
        # Only what was looked up less than a second ago may still count.
        time.sleep(1.0)
        append(orders, {"payload": "a secret"})
        assert live.next_event().kind == "end"


def test_partitions_that_are_added_end_it_without_a_last_word_and_the_next_has_them(server, owner, orders):
    cookie = cookie_of(owner)
    with follow(server, orders, Cookie=cookie) as live:
        told(live.next_event())
        change_stream(stream=orders, changes={"partition_count": 3}, now=timezone.now(), confirm=orders.name)
        assert live.next_event() is None
    append(orders, *({"key": f"k{number}", "payload": number} for number in range(30)))
    with follow(server, orders, Cookie=cookie, Last_Event_ID=live.last_id) as again:
        assert {row["partition"] for row in rows_until(again, 30)} == {0, 1, 2}


# --- a door that cannot tell when to stop ---------------------------------------------------------------------


def test_where_nobody_notices_a_hang_up_the_page_is_told_to_poll(owner, orders):
    client = Client()
    client.force_login(owner, BACKEND)
    answer = client.get(f"/streams/{orders.name}/tail/live")
    assert (answer.status_code, answer.content) == (204, b"")
