"""Hostile numbers, times and paging: only plain decimal digits are numbers, and every number has its bounds."""

import pytest

from accounts.roles import Role
from consumers.models import ConsumerGroup, GroupOffset
from streams.models import Stream
from tests.client import ApiClient
from tests.factories import make_group, make_stream, make_token, make_user
from tests.site.hostile import assert_refused

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits")]

MAX = 2**63 - 1
GROUP = "/streams/orders/consumer-groups/billing"

# What Python, JavaScript or PostgreSQL would kindly take for a number.
NO_NUMBERS_IN_AN_ADDRESS = [
    "abc", "", " ", " 5", "5 ", "+5", "-1", "-0", "1.0", "1.5", "1e3", "1E9", "0x10", "0b1", "0o7", "00", "01", "007",
    "1_000", "1,000", "٣", "５", "²", "½", "NaN", "Infinity", "null", "true", "[]", "5;", "5'", "' OR 1=1--", "\x00",
    "5\x00", "9223372036854775808", "99999999999999999999", "9" * 5000, "latest ", "EARLIEST",
]  # fmt: skip

# The same as JSON values.
NO_NUMBERS_IN_A_BODY = [
    b"-1", b"-0.0", b"1.0", b"1e3", b"1E0", b"1.5", b"true", b"false", b"null", b'""', b'"5"', b'" 5 "', b'"1_000"',
    '"٣"'.encode(), b"[]", b"{}", b"[5]", b'{"offset":5}', b"9223372036854775808", b"1e400", b"18446744073709551616",
    b"9" * 4000,
]  # fmt: skip


@pytest.fixture
def client():
    owner = make_user(Role.PRODUCER, Role.CONSUMER)
    make_group(make_stream("orders", owner=owner), "billing")
    make_stream("wide", owner=owner, partitions=2)
    client = ApiClient(token=make_token(owner))
    assert client.post("/events", [{"stream": "orders", "payload": n} for n in range(5)]).status_code == 202
    return client


def snapshot():
    return [list(model.objects.order_by("pk").values_list()) for model in (Stream, ConsumerGroup, GroupOffset)]


# --- in addresses -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["last_offset", "partition", "limit", "max_bytes", "wait"])
def test_a_poll_takes_plain_digits_only(client, name):
    for text in NO_NUMBERS_IN_AN_ADDRESS:
        if (name, text) in {("wait", "1.0"), ("wait", "1.5")}:
            continue
        answer = client.get("/streams/orders/events", **{name: text})
        try:
            assert_refused(answer, 422, "invalid_parameter", sent=text)
            assert [error["pointer"] for error in answer.json()["errors"]] == [f"?{name}"]
        except AssertionError as error:
            raise AssertionError(f"{name}={text[:30]!r}: {error}") from error


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("limit", ["0", "1001", "1000000000", str(MAX)]),
        ("max_bytes", ["0", str(8 * 1024 * 1024 + 1), str(MAX)]),
        ("wait", ["31", "30.001", "1000000000", "0.0001", "1e-3", ".5", "5.", "-0"]),
    ],
)
def test_a_poll_has_bounds(client, name, texts):
    for text in texts:
        assert_refused(client.get("/streams/orders/events", **{name: text}), 422, "invalid_parameter")


def test_the_highest_offset_is_an_offset(client):
    answer = client.get("/streams/orders/events", last_offset=MAX)
    assert (answer.status_code, answer.json()) == (200, [])
    assert answer.headers["EventFlow-Next-Offset"] == str(MAX)
    assert answer.headers["EventFlow-Lag"] == "0"
    assert_refused(client.get(f"/streams/orders/events/0/{MAX}"), 404, "event_not_found")
    assert client.get("/streams/orders/events", last_offset=MAX, wait="0.05").json() == []


def test_a_vector_of_offsets_names_each_partition_once(client):
    vectors = ["0=1", "0=1,1=2,2=3", "0=1,0=2", "0=1,1=", "1=1,,0=1", "0=-1,1=1", "0=1;1=1", f"0={MAX + 1},1=1"]
    for vector in [*vectors, "0=1,1=" + "9" * 5000, "٣=1,1=1", "0=1," * 500]:
        answer = client.get("/streams/wide/events", last_offset=vector)
        assert_refused(answer, 422, "invalid_parameter", sent=vector)


def test_a_parameter_that_is_given_twice_is_refused(client):
    for query in ("limit=1&limit=1000", "last_offset=0&last_offset=5", "wait=0&wait=30", "partition=0&partition=0"):
        assert_refused(client.get(f"/streams/orders/events?{query}"), 422, "invalid_parameter")


def test_a_parameter_that_is_not_there_is_refused(client):
    for query in (
        "after=abc",
        "offset=5",
        "Limit=1",
        "limit%00=1",
        "limit[]=1",
        "format=json",
        "&".join(f"x{n}=1" for n in range(300)),
    ):
        answer = client.get(f"/streams/orders/events?{query}")
        assert_refused(answer, 422, "unknown_field", sent=query)


def test_a_query_of_a_thousand_parameters_is_refused(client):
    query = "&".join("limit=1" for _ in range(900))
    answer = client.get(f"/streams/orders/events?{query}")
    assert answer.status_code in (400, 422)
    assert_refused(answer, answer.status_code)


@pytest.mark.parametrize(
    "text", [text for text in NO_NUMBERS_IN_AN_ADDRESS if text and "\x00" not in text and len(text) < 100]
)
def test_the_address_of_an_event_takes_plain_digits_only(client, text):
    for path in (f"/streams/orders/events/0/{text}", f"/streams/orders/events/{text}/1"):
        answer = client.get(path)
        assert answer.status_code in (404, 422)
        assert_refused(answer, answer.status_code)


def test_an_event_before_the_first_or_behind_the_last_is_not_there(client):
    assert_refused(client.get("/streams/orders/events/0/0"), 422, "invalid_parameter")
    assert_refused(client.get("/streams/orders/events/0/6"), 404, "event_not_found")
    assert_refused(client.get("/streams/orders/events/1/1"), 404, "partition_not_found")
    assert_refused(client.get(f"/streams/orders/events/{MAX}/1"), 404, "partition_not_found")


@pytest.mark.parametrize(
    "path", ["/streams", "/consumer-groups", "/api-keys", "/producers", "/streams/orders/consumer-groups"]
)
def test_every_list_is_bounded(client, path):
    for text in [*NO_NUMBERS_IN_AN_ADDRESS, "0", "251", "1000000000"]:
        try:
            assert_refused(client.get(path, limit=text), 422, "invalid_parameter", sent=text)
        except AssertionError as error:
            raise AssertionError(f"limit={text[:30]!r}: {error}") from error
    assert_refused(client.get(f"{path}?limit=1&limit=250"), 422, "invalid_parameter")
    assert client.get(path, limit=250).status_code == 200


@pytest.mark.parametrize(
    "path", ["/streams", "/consumer-groups", "/api-keys", "/producers", "/streams/orders/consumer-groups"]
)
def test_a_cursor_is_ours_and_of_this_list(client, path):
    make_stream("p-1", owner=make_user(email="a@example.com"))
    foreign = client.get("/streams", limit=1).json()["next"]
    cursors = [
        "",
        "x",
        "0",
        "a:b:c",
        "\x00",
        "é",
        "x" * 5000,
        "WzFd:1abc:" + "A" * 43,
        foreign + "x",
        foreign[:-1],
        foreign.upper(),
    ]
    cursors += [] if path == "/streams" else [foreign]
    for cursor in cursors:
        try:
            assert_refused(client.get(path, cursor=cursor), 422, "invalid_parameter", sent=cursor)
        except AssertionError as error:
            raise AssertionError(f"cursor={cursor[:30]!r}: {error}") from error


# --- in bodies ----------------------------------------------------------------------------------------


def test_a_commit_takes_whole_numbers_only(client):
    before = snapshot()
    for number in NO_NUMBERS_IN_A_BODY:
        assert_no_commit(client, number)
    assert snapshot() == before


def assert_no_commit(client, number):
    bodies = {
        b'{"offset":%s}' % number: "/offset",
        b'{"offsets":[{"partition":0,"offset":%s}]}' % number: "/offsets/0/offset",
        b'{"offsets":[{"partition":%s,"offset":1}]}' % number: "/offsets/0/partition",
    }
    for body, pointer in bodies.items():
        answer = client.post(f"{GROUP}/offsets", body)
        if answer.status_code == 400:
            # A number beyond any column may be refused as a whole.
            assert_refused(answer, 400, sent=body)
        else:
            assert_refused(answer, 422, "invalid_request", sent=body)
            assert answer.json()["errors"][0]["pointer"].startswith(pointer.rpartition("/")[0])


def test_a_commit_is_all_or_nothing(client):
    wide = "/streams/wide/consumer-groups"
    assert client.post(wide, {"name": "both"}).status_code == 201
    assert client.post("/streams/wide/events", [{"payload": n, "key": f"k{n}"} for n in range(20)]).status_code == 202
    for second in ({"partition": 1, "offset": 10**6}, {"partition": 2, "offset": 0}, {"partition": 0, "offset": 1}):
        answer = client.post(f"{wide}/both/offsets", {"offsets": [{"partition": 0, "offset": 1}, second]})
        assert answer.status_code in (404, 422), answer.content
    offsets = client.get(f"{wide}/both/offsets").json()["data"]
    assert [each["committed_offset"] for each in offsets] == [0, 0]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"offset": 6}, 422, "offset_beyond_head"),
        ({"offset": MAX}, 422, "offset_beyond_head"),
        ({"offset": MAX + 1}, 422, "invalid_request"),
        ({"offsets": [{"partition": 1, "offset": 0}]}, 404, "partition_not_found"),
        ({"offsets": [{"partition": 255, "offset": 0}]}, 404, "partition_not_found"),
        ({"offsets": [{"partition": 256, "offset": 0}]}, 422, "invalid_request"),
        ({"offsets": []}, 422, "invalid_request"),
        ({"offsets": {}}, 422, "invalid_request"),
        ({"offsets": [{"partition": 0, "offset": 1}] * 2}, 422, "invalid_request"),
        ({"offsets": [{"partition": n, "offset": 0} for n in range(257)]}, 422, "invalid_request"),
        ({"offsets": [[0, 1]]}, 422, "invalid_request"),
        ({"offsets": [{"partition": 0}]}, 422, "invalid_request"),
        ({"offset": 1, "offsets": [{"partition": 0, "offset": 1}]}, 422, "invalid_request"),
        ({}, 422, "invalid_request"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_commit_elsewhere_or_too_far_changes_nothing(client, body, status, code):
    before = snapshot()
    assert_refused(client.post(f"{GROUP}/offsets", body), status, code)
    assert snapshot() == before


def test_a_lower_commit_is_outdated(client):
    assert client.post(f"{GROUP}/offsets", {"offset": 4}).json()["data"][0]["status"] == "committed"
    for offset in (3, 0):
        data = client.post(f"{GROUP}/offsets", {"offset": offset}).json()["data"]
        assert data == [{"partition": 0, "committed_offset": 4, "status": "outdated"}]


GROUP_NUMBERS = {
    "ack_wait": [0, -1, 12 * 3600 + 1, 10 * 366 * 86400, 10**12, 2**31, 2**63],
    "max_failures": [0, -1, 101, 2**15, 2**31, 2**63],
    "max_in_flight": [0, -1, 1_000_001, 2**31, 2**63],
    "backoff": [
        [],
        [-1],
        [0.5],
        [1] * 21,
        [7 * 86400 + 1],
        [10**12],
        ["5"],
        [True],
        [None],
        [[5]],
        {},
        "5",
        5,
        [1] * 100_000,
    ],
}


@pytest.mark.parametrize("field", GROUP_NUMBERS)
def test_the_settings_of_a_group_have_bounds(client, field):
    before = snapshot()
    junk = [0.0, 1.5, "5", "", True, None, [], {}] if field != "backoff" else [True, None]
    for value in [*GROUP_NUMBERS[field], *junk]:
        created = client.post("/streams/orders/consumer-groups", {"name": "new-one", field: value})
        changed = client.patch(GROUP, {field: value})
        for answer in (created, changed):
            try:
                assert_refused(answer, 422, "invalid_request")
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
            except AssertionError as error:
                raise AssertionError(f"{field}={str(value)[:30]}: {error}") from error
    assert snapshot() == before


BAD_LIMITS: tuple[object, ...] = (0, -1, 2**63, 1.5, "5", True, [], {})
RETENTION = ("max_age", "max_bytes", "max_events")
STREAM_NUMBERS: dict[str, list[object]] = {
    "partitions": [0, -1, 257, 2**31, 2**63, 1.0, "1", True, None, [1]],
    "retention": [
        *({name: bad} for name in RETENTION for bad in BAD_LIMITS),
        {"max_age": 100 * 366 * 86400 + 1}, {"max_age": 10**15}, {"age": 5}, [], "1h", 5, None,
    ],
    "labels": [
        {"a": 1}, {"a": None}, {"": "x"}, {"k" * 65: "x"}, {"a": "x" * 257}, {f"l{n}": "x" for n in range(33)},
        [], "x", None, {"a": {"b": "c"}},
    ],
    "description": ["x" * 1001, 5, None, [], {}],
    "visibility": ["public", "INTERNAL", "", 1, None, [], {}, True],
    "paused": ["true", 1, 0, "yes", None, [], {}],
}  # fmt: skip


@pytest.mark.parametrize("field", STREAM_NUMBERS)
def test_the_settings_of_a_stream_have_bounds(client, field):
    before = snapshot()
    for value in STREAM_NUMBERS[field]:
        answers = [
            client.post("/streams", {"name": "new-one", field: value}),
            client.patch("/streams/orders?confirm=orders", {field: value}),
        ]
        for answer in answers:
            try:
                assert_refused(answer, 422, "unknown_field" if value == {"age": 5} else "invalid_request")
                assert answer.json()["errors"][0]["pointer"].startswith(f"/{field}")
            except AssertionError as error:
                raise AssertionError(f"{field}={str(value)[:30]}: {error}") from error
    assert snapshot() == before


KEY_TIMES = [
    "2126-11-22T00:00:00", "2126-11-22", "2126-W47-7T00:00Z", "2126-11-22T00:00:00+99:99", "2126-13-01T00:00:00Z",
    "2126-11-22T25:00:00Z", "tomorrow", "", 4_000_000_000, 4e9, True, [], {}, "9" * 5000, "2126-11-22T00:00:00Z ",
    "2020-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "٢١٢٦-11-22T00:00:00Z",
]  # fmt: skip


def test_a_key_expires_at_a_moment_in_the_future_that_has_a_zone(client):
    for moment in KEY_TIMES:
        answer = client.post("/api-keys", {"name": "n", "scopes": ["consume"], "expires_at": moment})
        assert_refused(answer, 422, "invalid_request", sent=str(moment))
    assert client.get("/api-keys").json()["data"] == []


def test_a_key_may_expire_at_the_end_of_time(client):
    for moment in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999+00:00", "2126-02-28T23:59:60+00:00"):
        answer = client.post("/api-keys", {"name": "n", "scopes": ["consume"], "expires_at": moment})
        assert answer.status_code in (201, 422), answer.content
        if answer.status_code == 201:
            assert client.get("/api-keys").status_code == 200
    answer = client.post("/api-keys", {"name": "n", "scopes": ["consume"], "expires_at": "9999-12-31T23:59:59-14:00"})
    assert_refused(answer, 422, "invalid_request")


def test_the_overlap_of_a_rotation_has_bounds(client):
    key = client.post("/api-keys", {"name": "n", "scopes": ["consume"]}).json()
    for overlap in (-1, 30 * 86400 + 1, 10**12, 2**63, 1.5, "5", True, None, [], {}):
        answer = client.post(f"/api-keys/{key['id']}/rotate", {"overlap_seconds": overlap})
        assert_refused(answer, 422, "invalid_request")
    assert len(client.get("/api-keys").json()["data"]) == 1
    assert client.get("/api-keys").json()["data"][0]["revoked_at"] is None


def test_a_rotation_near_the_end_of_time_overflows_nowhere(client):
    key = client.post("/api-keys", {"name": "n", "scopes": ["consume"], "expires_at": "9999-12-31T23:59:59Z"}).json()
    assert client.post(f"/api-keys/{key['id']}/rotate", {"overlap_seconds": 30 * 86400}).status_code == 201


FAR_ZONES = ["2026-11-22T10:00:00-18:32", "3258-11-01T13:48:34-16:41", "0184-05-13T04:46:25.98-18:32"]
FARTHEST = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]


@pytest.mark.parametrize("moment", [*FAR_ZONES, *FARTHEST])
def test_a_zone_farther_away_than_postgresql_knows_breaks_nothing(client, moment):
    answers = [
        client.post("/streams/orders/consumer-groups/billing/seek", {"to": {"timestamp": moment}}),
        client.get("/dead-letters", since=moment),
        client.post("/dead-letters/redrive", {"filter": {"until": moment}, "dry_run": True}),
        client.post("/dead-letters/redrive", {"filter": {"until": moment}}),
        client.post("/api-keys", {"name": "n", "scopes": ["consume"], "expires_at": moment}),
    ]
    for answer in answers:
        assert answer.status_code in (200, 201, 202, 422), answer.content
        if moment in FARTHEST:
            assert answer.status_code == 422
