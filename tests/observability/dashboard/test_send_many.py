"""Several events from the form: all or none, once, each with its own id, time and headers; refusals by their lines."""

import re

import orjson
import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from observability.dashboard.queries.stream_pages import list_producible_names
from streams.lookup import load_stream
from streams.queries import get_event, totals_of
from tests.factories import make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

GOOD = '{"payload": {"n": 1.50}, "id": "a-1", "occurred_at": "2026-11-22T10:00:00+02:00", "headers": {"trace": "x"}}'


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.fixture
def owner() -> User:
    owner = make_owner()
    make_stream("orders", owner=owner)
    return owner


def send(user: User, events: str, *, stream: str = "orders", **headers: str):
    return browser_of(user).post("/send/many", {"stream": stream, "events": events}, headers=headers)


def stored() -> list[dict]:
    info = load_stream("orders")
    assert info is not None
    count = totals_of([info])[info.id].event_count
    return [orjson.loads(get_event(info, 0, offset)) for offset in range(1, count + 1)]


def faults(answer) -> list[tuple[int, str]]:
    found = re.findall(r"<li>\s*Line (\d+): <bdi>(.*?)</bdi>", answer.content.decode(), re.DOTALL)
    return [(int(line), told) for line, told in found]


@pytest.mark.parametrize("layout", ["lines", "array", "lines of Windows"])
def test_each_event_is_stored_with_what_it_brought(owner, layout):
    second = '{"payload": 2, "type": "order.paid", "key": "k"}'
    text = {
        "lines": f"\n{GOOD}\n\n  {second}\n",
        "lines of Windows": f"{GOOD}\r\n{second}\r\n",
        "array": f"[\n{GOOD},\n  {second}\n]",
    }[layout]

    answer = send(owner, text)

    assert answer.status_code == 200
    assert "2 events" in answer.content.decode()
    one, two = stored()
    assert (one["id"], one["headers"], one["occurred_at"]) == ("a-1", {"trace": "x"}, "2026-11-22T08:00:00Z")
    assert (two["type"], two["key"], two["payload"]) == ("order.paid", "k", 2)
    info = load_stream("orders")
    assert info is not None
    assert b'{"n": 1.50}' in get_event(info, 0, 1)


def test_every_refused_line_is_named_and_nothing_is_stored(owner):
    text = "\n".join(
        [
            GOOD,
            "",
            '{"payload": 1,}',
            '{"type": "no payload"}',
            '{"payload": 1, "colour": "red"}',
            "[1]",
            '{"payload": 1, "occurred_at": "2026-11-22T10:00:00"}',
            '{"payload": 1, "type": "not a type!"}',
            '{"payload": 1}',
            "5",
        ]
    )

    answer = send(owner, text)

    assert answer.status_code == 422
    assert sorted({line for line, _ in faults(answer)}) == [3, 4, 5, 6, 7, 8, 10]
    told = dict(faults(answer))
    assert "type" in told[8]
    assert "zone" in told[7]
    assert stored() == []
    # What was typed is all there to be mended.
    assert "order.created" not in answer.content.decode().partition("<textarea")[2].partition("</textarea")[0]
    assert "not a type!" in answer.content.decode().partition("<textarea")[2]


def test_the_items_of_an_array_are_named_by_the_lines_in_which_they_begin(owner):
    answer = send(owner, '[\n{"payload": 1},\n\n{"payload":\n 2,\n"x": 3}, {"type": "t"}\n,{}]')
    assert [line for line, _ in faults(answer)] == [4, 6, 7]
    assert stored() == []


def test_an_event_for_another_stream_is_refused_at_its_line(owner):
    answer = send(owner, f'{GOOD}\n{{"payload": 1, "stream": "others"}}')
    assert [line for line, _ in faults(answer)] == [2]
    assert stored() == []


def test_a_retry_with_the_same_key_stores_once_and_another_text_is_another_request(owner):
    key = {"Idempotency-Key": "k" * 32}
    for _ in range(3):
        assert send(owner, f'{GOOD}\n{{"payload": 2}}', **key).status_code == 200
    assert len(stored()) == 2
    assert send(owner, GOOD, **key).status_code == 422
    assert len(stored()) == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("  \n ", "at least one event"),
        ("[]", "at least one event"),
        ("[1", "ends too early: something that it opens is not closed"),
        ('{"payload":1}\n' * 1001, "At most 1000"),
    ],
)
def test_what_is_no_list_of_events_is_refused_at_the_field(owner, text, told):
    answer = send(owner, text)
    assert answer.status_code == 422
    assert told in answer.content.decode().partition('id="e-events"')[2]
    assert stored() == []


def test_who_may_not_append_stores_nothing(owner):
    stranger = make_user(Role.PRODUCER)
    assert "field-error" in send(stranger, GOOD).content.decode()
    assert send(stranger, GOOD).status_code == 422
    assert send(make_user(Role.CONSUMER), GOOD).status_code == 403
    assert stored() == []


def test_one_event_may_have_an_id_and_a_time_too(owner):
    one = {"stream": "orders", "type": "t", "payload": "1", "id": "a-2", "occurred_at": "2026-11-22T10:00:00Z"}
    assert browser_of(owner).post("/send", one).status_code == 200
    assert [(event["id"], event["occurred_at"]) for event in stored()] == [("a-2", "2026-11-22T10:00:00Z")]

    refused = browser_of(owner).post("/send", {**one, "occurred_at": "yesterday"})

    assert refused.status_code == 422
    assert 'aria-describedby="h-occurred_at"' in refused.content.decode()
    assert len(stored()) == 1


def test_ones_own_stream_is_offered_however_many_of_others_come_before_it():
    producer = make_user(Role.PRODUCER, Role.CONSUMER)
    for number in range(3):
        make_stream(f"a-{number}", owner=make_owner())
    make_stream("mine", owner=producer)
    assert list_producible_names(producer.as_caller(), limit=2) == ["mine"]
