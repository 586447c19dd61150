"""What a search found, as a file: the same events, in the same order, harmless in a spreadsheet, and bounded."""

import csv
import io

import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.roles import Right, Role
from accounts.services.authenticate_browser import forget_browsers
from accounts.services.users import disable_users
from observability.dashboard.pages import events_file
from streams.services.grants import grant_stream, revoke_stream_grant
from tests.browser.story import append
from tests.factories import make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

FILE = "/streams/orders/events/file"
FORMULAS = ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def owner() -> User:
    return make_owner()


def ask(user: User, **query: str):
    return browser_of(user).get(FILE, query)


def lines(answer) -> list:
    return [orjson.loads(line) for line in answer.getvalue().splitlines()]


def rows(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode(), newline="")))


def test_it_holds_what_the_search_finds_in_its_order_as_consumers_read_it(owner):
    stream = make_stream("orders", owner=owner, partitions=2)
    append(stream, *({"type": "a" if n % 2 else "b", "key": f"k{n}", "payload": n} for n in range(40)))

    newest = ask(owner, type="a")
    oldest = ask(owner, type="a", **{"from": "oldest"})

    assert newest["Content-Disposition"] == 'attachment; filename="orders-events.ndjson"'
    assert newest["Content-Type"] == "application/x-ndjson; charset=utf-8"
    found = lines(newest)
    assert len(found) == 20
    assert {each["type"] for each in found} == {"a"}
    assert found == lines(oldest)[::-1]
    assert set(found[0]) == {
        "partition",
        "offset",
        "recorded_at",
        "id",
        "type",
        "key",
        "occurred_at",
        "headers",
        "payload",
    }


def test_a_spreadsheet_sees_no_formula_wherever_it_was_sent(owner):
    stream = make_stream("orders", owner=owner)
    append(
        stream,
        *(
            {"id": f"{text.strip()}{n}", "key": text, "headers": {text: "1"}, "payload": n}
            for n, text in enumerate(FORMULAS)
        ),
        {"payload": -17},
        {"payload": {"a": '1,2\n"3"'}},
    )

    answer = ask(owner, **{"as": "csv", "from": "oldest"})

    assert answer["Content-Disposition"] == 'attachment; filename="orders-events.csv"'
    found = rows(answer)
    assert [row["key"] for row in found[:6]] == [f"'{text}" for text in FORMULAS]
    assert found[0]["id"] == "'=HYPERLINK(1)0"
    assert found[6]["payload"] == "'-17"
    assert orjson.loads(found[7]["payload"]) == {"a": '1,2\n"3"'}
    for row in found:
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r")), row


def test_a_file_that_is_cut_says_so_what_was_looked_at_and_where_the_rest_begins(owner, monkeypatch):
    monkeypatch.setattr(events_file, "PIECE_EVENTS", 4)
    monkeypatch.setattr(events_file, "MOST_EVENTS", 10)
    append(make_stream("orders", owner=owner), *({"payload": n} for n in range(25)))

    *found, cut = lines(ask(owner))

    assert [each["payload"] for each in found] == list(range(24, 14, -1))
    assert cut == {"cut": {"events": 10, "looked_at": 10, "left": 15, "go_on_at": "0=16"}}
    rest = lines(ask(owner, at=cut["cut"]["go_on_at"]))
    assert [each["payload"] for each in rest[:10]] == list(range(14, 4, -1))
    assert lines(ask(owner, at=rest[-1]["cut"]["go_on_at"]))[-1]["payload"] == 0
    *_, last = rows(ask(owner, **{"as": "csv"}))
    assert last["partition"].startswith("cut here: 10 events of 10 looked at; 15 more to look at, with at=0=16")


@pytest.mark.parametrize(("bound", "most"), [("MOST_LOOKED_AT", 10), ("MOST_BYTES", 1_000)])
def test_it_is_bounded_by_what_is_looked_at_and_by_its_size_too(owner, monkeypatch, bound, most):
    monkeypatch.setattr(events_file, "PIECE_EVENTS", 5)
    monkeypatch.setattr(events_file, bound, most)
    append(make_stream("orders", owner=owner), *({"payload": n} for n in range(50)))

    *found, cut = lines(ask(owner))

    assert len(found) == 10
    assert cut["cut"]["left"] == 40


def test_each_piece_asks_a_bounded_number_of_questions(owner, monkeypatch):
    monkeypatch.setattr(events_file, "PIECE_EVENTS", 5)
    append(make_stream("orders", owner=owner), *({"payload": n} for n in range(50)))
    client = browser_of(owner)
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(FILE)
    before = len(captured)
    with CaptureQueriesContext(connection) as captured:
        assert len(lines(answer)) == 50
    assert before <= 9
    # The ends of the partitions and one read, nine times; and of all pieces within a second one asks whether it may go on.
    assert len(captured) <= 18 + 4


def test_nobody_gets_a_file_of_what_the_page_would_not_show(owner):
    stranger, producer = make_owner(), make_user(Role.PRODUCER)
    stream = make_stream("orders", owner=owner, visibility="restricted")
    grant_stream(stream=stream, to=producer, rights={"produce"}, caller=owner.as_caller())
    append(stream, {"payload": "secret"})

    assert ask(stranger).status_code == 404
    assert ask(producer).status_code == 403
    assert b"secret" not in ask(stranger).content + ask(producer).content
    assert lines(ask(owner))[0]["payload"] == "secret"


@pytest.mark.parametrize("query", [{"as": "xlsx"}, {"at": "x"}, {"from": "time"}, {"partition": "9"}])
def test_what_is_wrong_with_the_search_is_a_page_and_no_file(owner, query):
    append(make_stream("orders", owner=owner), {"payload": 1})
    answer = ask(owner, **query)
    assert answer.status_code in (400, 404, 422)
    assert "Content-Disposition" not in answer


def test_the_page_leads_to_the_file_of_its_own_search_and_names_the_bound(owner):
    append(make_stream("orders", owner=owner), {"type": "a", "payload": 1})
    page = browser_of(owner).get("/streams/orders/events?type=a&from=oldest").content.decode()
    assert 'href="/streams/orders/events/file?type=a&amp;from=oldest&amp;as=csv"' in page
    assert f"At most {events_file.MOST_EVENTS:,} events, of {events_file.MOST_LOOKED_AT:,}" in page


@pytest.mark.parametrize("end", ["grant", "session", "user", "role"])
def test_it_is_cut_where_the_right_to_it_ends(owner, end, monkeypatch):
    """However slowly it is taken: what is appended later is not for who may not read any more."""
    monkeypatch.setattr(events_file, "FIRST_EVENTS", 2)
    stream, reader = make_stream("orders", owner=owner, visibility="restricted"), make_user(Role.CONSUMER)
    grant, _ = grant_stream(stream=stream, to=reader, rights=[Right.CONSUME], caller=owner.as_caller())
    append(stream, *({"type": "a", "payload": n} for n in range(5)))
    browser = browser_of(reader)
    answer = browser.get(FILE, {"from": "oldest"})
    pieces = iter(answer.streaming_content)
    taken = [orjson.loads(line) for line in next(pieces).splitlines()]

    if end == "grant":
        revoke_stream_grant(stream=stream, grant_id=str(grant.pk))
    elif end == "session":
        browser.post("/sign-out")
    elif end == "user":
        disable_users(User.objects.filter(pk=reader.pk))
    else:
        reader.groups.clear()
        forget_browsers()
    append(stream, {"type": "a", "payload": "a secret of later"})

    *rest, last = (orjson.loads(line) for piece in pieces for line in piece.splitlines())
    assert [each["payload"] for each in taken] == [0, 1]
    assert rest == []
    assert last["cut"]["events"] == 2
