"""Events for later and events that expire, as producers send them and readers see them."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from streams.conf import MAX_DELAY_SECONDS, MAX_LIFETIME_SECONDS
from streams.log import get_log
from streams.lookup import find_stream
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, binary, read_cloudevents, read_plain, without_place

pytestmark = pytest.mark.usefixtures("db_with_commits")
PATH = "/streams/orders/events"
NDJSON = "application/x-ndjson"


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def ahead(**span):
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def sent(client, event, **options):
    answer = client.post(PATH, event, **options)
    assert answer.status_code == 202, answer.content
    return read_plain(client)[-1]


def faults(answer):
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_events"), answer.content
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


def timed_through(stream="orders"):
    partitions = find_stream(stream).partitions
    ends = get_log().bounds(partitions)
    return [ends[partition.id].timed_through for partition in partitions]


# --- what is kept ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (b"30", b"30"),
        (b"30.0", b"30"),
        (b"3e1", b"30"),
        (b"0.5", b"0.5"),
        (b"%d" % MAX_DELAY_SECONDS, b"%d" % MAX_DELAY_SECONDS),
        (b'"2026-11-22T12:00:00+02:00"', b'"2026-11-22T10:00:00Z"'),
        (b'"1999-12-31T23:59:59.5Z"', b'"1999-12-31T23:59:59.500000Z"'),
    ],
)
def test_when_an_event_is_to_be_handed_out_is_kept_as_it_was_given(shop, given, kept):
    assert shop.post(PATH, b'{"payload":1,"deliver_after":%b}' % given).status_code == 202
    text = shop.get(PATH, last_offset=0).content
    assert b'"occurred_at":null,"deliver_after":%b,"headers":{},"payload":1}' % kept in text


def test_all_that_an_event_may_carry_comes_back(shop):
    event = sent(shop, {"payload": 1, "deliver_after": 30, "expires_after": 60.25})
    assert {name: event[name] for name in ("deliver_after", "expires_after")} == {
        "deliver_after": 30,
        "expires_after": 60.25,
    }


def test_a_time_may_be_as_far_ahead_as_seconds_may(shop):
    time = ahead(days=30, minutes=-1)
    assert datetime.fromisoformat(sent(shop, {"payload": 1, "deliver_after": time})["deliver_after"])


def test_an_event_without_times_says_nothing_of_them(shop):
    event = sent(shop, {"payload": 1, "deliver_after": None, "expires_after": None})
    assert {"deliver_after", "expires_after"}.isdisjoint(event)
    assert timed_through() == [0]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (orjson.dumps([{"payload": 1}, {"payload": 2, "deliver_after": 5}, {"payload": 3}]), "application/json"),
        (b'{"payload":1}\n{"payload":2,"deliver_after":5}\n{"payload":3}', NDJSON),
    ],
)
def test_among_several_events_each_has_its_own(shop, body, content_type):
    answer = shop.post(PATH, body, content_type=content_type)
    assert answer.status_code == 202
    assert [event.get("deliver_after") for event in read_plain(shop)] == [None, 5, None]
    assert timed_through() == [2]


def test_offset_readers_see_them_at_once(shop):
    sent(shop, {"payload": 1, "deliver_after": MAX_DELAY_SECONDS})
    sent(shop, {"payload": 2, "expires_after": 0.001})
    assert [event["payload"] for event in read_plain(shop)] == [1, 2]


def test_each_partition_knows_how_far_they_reach(owner):
    make_stream("wide", owner=owner, partitions=8)
    client = ApiClient(key=make_key(owner))
    events = [{"payload": n, "key": f"k{n}"} for n in range(40)]
    events[17]["expires_after"] = 60
    places = client.post("/streams/wide/events", events).json()["events"]
    expected = [0] * 8
    expected[places[17]["partition"]] = places[17]["offset"]
    assert timed_through("wide") == expected


# --- what is refused -------------------------------------------------------------------------------------

NO_DELAYS = [
    b"0", b"-1", b"-0.0", b"true", b"false", b'""', b'"30"', b'"tomorrow"', b"[]", b"{}", b"[30]", b"1e400", b"1" * 31,
    b"9" * 5000, b"%d" % (MAX_DELAY_SECONDS + 1), b'"2026-11-22"', b'"2026-11-22T10:00"', b'"2026-06-30T23:59:60Z"',
    b'"2026-13-01T00:00:00Z"', b'"P1D"', b'"2026-11-22T10:00:00+99:00"',
]  # fmt: skip
OUT_OF_RANGE = [b'"9999-12-31T23:59:59Z"', b'"9999-12-31T23:59:59-10:00"', b'"0001-01-01T00:00:00+10:00"']


@pytest.mark.parametrize("value", NO_DELAYS, ids=lambda value: value.decode()[:24])
def test_what_is_neither_a_time_nor_seconds_is_refused(shop, value):
    body = b'[{"payload":1},{"payload":2,"deliver_after":%b},{"payload":3}]' % value
    answer = shop.post(PATH, body)
    assert faults(answer) == [("/1/deliver_after", "invalid")]
    assert "A time with its zone" in answer.json()["errors"][0]["detail"]
    assert read_plain(shop) == []


@pytest.mark.parametrize("value", OUT_OF_RANGE, ids=bytes.decode)
def test_a_time_that_is_too_far_ahead_or_in_no_year_is_refused(shop, value):
    assert faults(shop.post(PATH, b'{"payload":2,"deliver_after":%b}' % value)) == [("/deliver_after", "out_of_range")]


def test_a_time_has_a_zone(shop):
    answer = shop.post(PATH, {"payload": 1, "deliver_after": "2026-11-22T10:00:00"})
    assert faults(answer) == [("/deliver_after", "timezone_required")]


def test_more_than_thirty_days_ahead_is_refused(shop):
    answer = shop.post(PATH, {"payload": 1, "deliver_after": ahead(days=30, minutes=1)})
    assert faults(answer) == [("/deliver_after", "out_of_range")]
    assert "30 days" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize(
    "value",
    [
        *(b"0", b"-1", b"true", b'"60"', b'"2026-11-22T10:00:00Z"', b"[]", b"{}", b"1e400", b"9" * 5000),
        b"%d" % (MAX_LIFETIME_SECONDS + 1),
    ],
    ids=lambda value: value.decode()[:24],
)
def test_what_expires_does_so_after_seconds(shop, value):
    answer = shop.post(PATH, b'{"payload":2,"expires_after":%b}' % value)
    assert faults(answer) == [("/expires_after", "invalid")]
    assert answer.json()["errors"][0]["detail"].startswith("Seconds: ")


@pytest.mark.parametrize("expires_after", [30, 29.9, 1])
def test_an_event_that_would_expire_before_it_is_due_is_refused(shop, expires_after):
    answer = shop.post(PATH, {"payload": 1, "deliver_after": 30, "expires_after": expires_after})
    assert faults(answer) == [("/expires_after", "expires_first")]


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"-Infinity", b"1.", b".5", b"1x10", b"01"])
def test_what_is_no_json_is_refused_as_such(shop, value):
    answer = shop.post(PATH, b'{"payload":2,"expires_after":%b}' % value)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_json")


# --- CloudEvents -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "fields", "told"),
    [
        ({"deliverafter": 30}, {"deliver_after": 30}, {"deliverafter": 30}),
        ({"deliverafter": "30"}, {"deliver_after": 30}, {"deliverafter": 30}),
        ({"deliverafter": "0.5"}, {"deliver_after": 0.5}, {"deliverafter": "0.5"}),
        (
            {"deliverafter": "2026-11-22T12:00:00+02:00"},
            {"deliver_after": "2026-11-22T10:00:00Z"},
            {"deliverafter": "2026-11-22T10:00:00Z"},
        ),
        (
            {"deliverafter": 5, "expiresafter": "60.25"},
            {"deliver_after": 5, "expires_after": 60.25},
            {"deliverafter": 5, "expiresafter": "60.25"},
        ),
        ({"expiresafter": None}, {}, {}),
    ],
)
def test_a_cloudevent_says_them_as_attributes_and_gets_them_back(shop, attributes, fields, told):
    event = sent(shop, MINIMAL | attributes, content_type=ONE)
    assert {name: event[name] for name in ("deliver_after", "expires_after") if name in event} == fields
    # They have fields: no header says them too.
    assert event["headers"] == {"ce-source": "/shop", "ce-data": "absent"}
    assert without_place(read_cloudevents(shop)[0]) == MINIMAL | told
    assert timed_through() == [1 if fields else 0]


def test_in_binary_mode_they_are_headers(shop):
    assert binary(shop, PATH, b"1", deliverafter="30", expiresafter="60").status_code == 202
    (event,) = read_plain(shop)
    assert (event["deliver_after"], event["expires_after"]) == (30, 60)


@pytest.mark.parametrize(
    "value", [0, -5, True, "", "soon", "-1", "1e3", "+5", "٣", "2026-11-22", MAX_DELAY_SECONDS + 1]
)
@pytest.mark.parametrize("name", ["deliverafter", "expiresafter"])
def test_a_cloudevent_with_another_value_is_refused(shop, name, value):
    if (name, value) == ("expiresafter", MAX_DELAY_SECONDS + 1):
        value = MAX_LIFETIME_SECONDS + 1
    answer = shop.post(PATH, [MINIMAL, MINIMAL | {"id": "2", name: value}], content_type=BATCH)
    assert faults(answer) == [(f"/1/{name}", "invalid")]


def test_what_is_wrong_with_them_together_is_told_by_their_names(shop):
    answer = shop.post(PATH, MINIMAL | {"deliverafter": 30, "expiresafter": 5}, content_type=ONE)
    assert faults(answer) == [("/expiresafter", "expires_first")]
    answer = shop.post(PATH, MINIMAL | {"deliverafter": ahead(days=31)}, content_type=ONE)
    assert faults(answer) == [("/deliverafter", "out_of_range")]
