"""POST /events: what is accepted, what is refused, and what comes back."""

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.roles import Right, Role
from streams import lookup
from streams.log import engine_aliases
from streams.lookup import find_stream
from streams.models import Visibility
from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


@pytest.fixture
def owner():
    return make_owner()


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def read_back(client, stream="orders"):
    response = client.get(f"/streams/{stream}/events", last_offset=0)
    assert response.status_code == 200, response.content
    return response


def test_the_defaults_of_an_event(shop):
    answer = shop.post("/events", {"stream": "orders", "payload": None}).json()
    (event,) = read_back(shop).json()
    assert event == {
        "partition": 0,
        "offset": 1,
        "recorded_at": answer["recorded_at"],
        "id": answer["id"],
        "type": "event",
        "key": None,
        "occurred_at": None,
        "headers": {},
        "payload": None,
    }


def test_all_that_an_event_may_carry_comes_back(shop):
    sent = {
        "stream": "orders",
        "type": "order.created",
        "key": "customer-7",
        "id": "order/42",
        "occurred_at": "2026-11-22T12:00:00+02:00",
        "headers": {"trace": "ä"},
        "payload": {"n": 1},
    }
    assert shop.post("/events", sent).status_code == 202
    (event,) = read_back(shop).json()
    assert event["occurred_at"] == "2026-11-22T10:00:00Z"
    assert {name: event[name] for name in ("type", "key", "id", "headers", "payload")} == {
        name: sent[name] for name in ("type", "key", "id", "headers", "payload")
    }


@pytest.mark.parametrize(
    "payload",
    [
        b'{"b":1,"a":2}',
        b'{"a":1,"a":2}',
        b"18446744073709551616",
        b"9007199254740993",
        b"1e400",
        b"-0.0",
        b"1.10",
        b"1" * 4000,
        rb'"a\u0000b"',
        rb'{"\u0000":1}',
        rb'"\u002f\/\uD83D\uDE00"',
        '"😀 é é"'.encode(),
        b'{"a" : [ 1 , 2 ] }',
        b'""',
        b"[]",
        b"false",
        b"[" * 64 + b"]" * 64,
    ],
    ids=lambda payload: payload[:24].decode(),
)
def test_a_payload_comes_back_byte_for_byte(shop, payload):
    body = b'{"stream":"orders","payload":' + payload + b"}"
    assert shop.post("/events", body).status_code == 202
    assert read_back(shop).content.endswith(b'"payload":' + payload + b"}]")


def test_a_payload_over_several_lines_loses_its_line_breaks_only_outside_strings(shop):
    assert (
        shop.post("/events", b'{"stream":"orders","payload":{\n "a b" : "x\\n y",\r\n\t"c": [1,\n2]\n}}').status_code
        == 202
    )
    assert read_back(shop).content.endswith(b'"payload":{"a b":"x\\n y","c":[1,2]}}]')


def test_a_batch_of_all_kinds_comes_back_in_order_each_as_it_was_sent(shop):
    body = b"""[{"stream":"orders","payload":1},
        {"payload":{"a":
            [2]}, "stream":"orders","headers":null,"id":"mine"},
        {"stream":"orders","payload":"3\\n","headers":{"h":"v"},"key":"k","type":"order.paid"},
        {"stream":"orders","payload":{}}]"""
    sent = shop.post("/events", body).json()["events"]
    found = read_back(shop).json()
    assert [event["payload"] for event in found] == [1, {"a": [2]}, "3\n", {}]
    assert [event["headers"] for event in found] == [{}, {}, {"h": "v"}, {}]
    assert [event["id"] for event in found] == [event["id"] for event in sent]
    assert found[1]["id"] == "mine"
    assert all("stream" not in event for event in found)


def test_a_batch_with_bad_items_stores_nothing_and_names_them(shop):
    body = [
        {"stream": "orders", "payload": 1},
        {"stream": "orders", "payload": 2, "type": "no spaces please"},
        {"stream": "orders", "payload": 3, "key": ""},
    ]
    answer = shop.post("/events", body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_events"
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/1/type", "/2/key"]
    assert read_back(shop).json() == []


@pytest.mark.parametrize("field", ["offset", "partition", "tenant_id", "role", "is_admin", "recorded_at", "Payload"])
def test_a_field_that_an_event_does_not_have_is_named(shop, field):
    answer = shop.post("/events", [{"stream": "orders", "payload": 1}, {"stream": "orders", "payload": 1, field: 1}])
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": f"/1/{field}", "code": "unknown_field", "detail": "An event has no such field."}
    ]


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"payload": 1}, "/stream", "required"),
        ({"stream": "orders"}, "/payload", "required"),
        ({"stream": 5, "payload": 1}, "/stream", "invalid"),
        ({"stream": "orders", "payload": 1, "type": 5}, "/type", "invalid"),
        ({"stream": "orders", "payload": 1, "type": ""}, "/type", "invalid_type"),
        ({"stream": "orders", "payload": 1, "key": "k" * 513}, "/key", "invalid"),
        ({"stream": "orders", "payload": 1, "key": "é" * 300}, "/key", "too_long"),
        ({"stream": "orders", "payload": 1, "id": ""}, "/id", "invalid"),
        ({"stream": "orders", "payload": 1, "id": "i" * 129}, "/id", "invalid"),
        ({"stream": "orders", "payload": 1, "id": "a\u202eb"}, "/id", "invalid_id"),
        ({"stream": "orders", "payload": 1, "occurred_at": "2026-11-22T00:00:00"}, "/occurred_at", "timezone_required"),
        ({"stream": "orders", "payload": 1, "occurred_at": "2026-11-22"}, "/occurred_at", "invalid"),
        ({"stream": "orders", "payload": 1, "occurred_at": "2026-W47-7T00:00Z"}, "/occurred_at", "invalid"),
        (
            {"stream": "orders", "payload": 1, "occurred_at": "0001-01-01T00:00:00+14:00"},
            "/occurred_at",
            "out_of_range",
        ),
        *(
            ({"stream": "orders", "payload": 1, "occurred_at": moment}, "/occurred_at", "invalid")
            for moment in (5, "", "now", "2026-13-01T00:00:00Z", "2026-11-22T00:00:00+99:99", "٢٠٢٦-11-22T00:00:00Z")
        ),
        *(
            ({"stream": "orders", "payload": 1, "type": name}, "/type", "invalid_type")
            for name in ("a\nb", "a b", "\u202ea", "é", "a,b", "<script>", "t" * 129)
        ),
        *(
            ({"stream": "orders", "payload": 1, "id": text}, "/id", "invalid_id")
            for text in ("\x00", "a\nb", "\x1b[2J", "\u200b")
        ),
        *(
            ({"stream": "orders", "payload": 1, name: wrong}, f"/{name}", "invalid")
            for name in ("key", "id", "headers")
            for wrong in (5, 1.5, True, [], ["a"])
        ),
        *(
            ({"stream": "orders", "payload": 1, name: 1}, f"/{name}", "unknown_field")
            for name in ("tenant_id", "offset", "role", "is_admin", "recorded_at", "Payload")
        ),
        ({"stream": "orders", "payload": 1, "headers": {"a": 1}}, "/headers", "invalid"),
        ({"stream": "orders", "payload": 1, "headers": 1}, "/headers", "invalid"),
        ({"stream": "orders", "payload": 1, "headers": {"": "x"}}, "/headers", "invalid_header"),
        ({"stream": "orders", "payload": 1, "headers": {"a": "x" * 1025}}, "/headers", "invalid_header"),
        ({"stream": "orders", "payload": 1, "headers": {f"h{n}": "x" for n in range(33)}}, "/headers", "too_many"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_each_rule_of_the_envelope_says_where_it_was_broken(shop, fields, pointer, code):
    batch = [{"stream": "orders", "payload": 0}, fields, {"stream": "orders", "payload": 2}]
    lines = b"\n".join(map(orjson.dumps, batch))
    for body, prefix, content_type in (
        (fields, "", "application/json"),
        (batch, "/1", "application/json"),
        (lines, "/1", "application/x-ndjson"),
    ):
        answer = shop.post("/events", body, content_type=content_type)
        assert answer.status_code == 422, answer.content
        errors = answer.json()["errors"]
        assert [(error["pointer"], error["code"]) for error in errors] == [(prefix + pointer, code)]
    assert read_back(shop).json() == []


def test_an_event_time_far_away_is_data_only(shop):
    for moment in ("1900-01-01T00:00:00Z", "2126-11-22T00:00:00Z"):
        assert shop.post("/events", {"stream": "orders", "payload": 1, "occurred_at": moment}).status_code == 202
    assert [event["occurred_at"] for event in read_back(shop).json()] == [
        "1900-01-01T00:00:00Z",
        "2126-11-22T00:00:00Z",
    ]


def test_limits_are_decided_before_anything_is_stored(shop):
    too_many = shop.post("/events", [{"stream": "orders", "payload": 1}] * 1001)
    assert (too_many.status_code, too_many.json()["code"]) == (413, "payload_too_large")
    too_large = shop.post("/events", {"stream": "orders", "payload": "x" * 1_000_000})
    assert (too_large.status_code, too_large.json()["code"]) == (413, "payload_too_large")
    whole = shop.post("/events", b" " * (8 * 1024 * 1024 + 1))
    assert (whole.status_code, whole.json()["code"]) == (413, "payload_too_large")
    assert read_back(shop).json() == []
    assert shop.post("/events", [{"stream": "orders", "payload": 1}] * 1000).status_code == 202
    assert shop.post("/events", {"stream": "orders", "payload": "x" * 999_000}).status_code == 202


def test_events_for_several_streams_in_one_request(shop, owner):
    make_stream("mails", owner=owner)
    answer = shop.post(
        "/events",
        [{"stream": "orders", "payload": 1}, {"stream": "mails", "payload": 2}, {"stream": "orders", "payload": 3}],
    )
    assert [(event["stream"], event["offset"]) for event in answer.json()["events"]] == [
        ("orders", 1),
        ("mails", 1),
        ("orders", 2),
    ]
    assert [event["payload"] for event in read_back(shop, "mails").json()] == [2]


def test_the_same_key_always_lands_in_the_same_partition(owner):
    make_stream("spread", owner=owner, partitions=8)
    client = ApiClient(key=make_key(owner))
    found: dict[str, set[int]] = {}
    for _ in range(3):
        body = [{"stream": "spread", "key": f"k{n}", "payload": n} for n in range(30)]
        answer = client.post("/events", body).json()
        for sent, event in zip(body, answer["events"], strict=True):
            found.setdefault(sent["key"], set()).add(event["partition"])
            stored = client.get(f"/streams/spread/events/{event['partition']}/{event['offset']}").json()
            assert (stored["id"], stored["key"]) == (event["id"], sent["key"])
    assert all(len(partitions) == 1 for partitions in found.values())
    assert len(set.union(*found.values())) > 3


def test_a_stream_in_the_path_and_another_in_the_event_do_not_agree(shop):
    answer = shop.post("/streams/orders/events", [{"payload": 1}, {"stream": "other", "payload": 1}])
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/1/stream"
    assert shop.post("/streams/orders/events", [{"payload": 1}, {"stream": "orders", "payload": 1}]).status_code == 202


@pytest.mark.parametrize("count", [2, 60])
def test_streams_that_nobody_remembers_are_asked_for_together(owner, count):
    """One by one, a batch over a thousand of them would take seconds."""
    client = ApiClient(key=make_key(owner))
    names = [make_stream(f"s-{number}", owner=owner).name for number in range(count)]
    lookup.forget_streams()
    client.get("/me")

    with CaptureQueriesContext(connection) as captured:
        answer = client.post("/events", [{"stream": name, "payload": 1} for name in names])

    assert answer.status_code == 202, answer.content
    about_streams = [query["sql"] for query in captured if "streams_stream" in query["sql"]]
    # Where there are other engines it is asked whether one is being moved, too.
    assert len(about_streams) == 2 + bool(engine_aliases()), about_streams


def test_one_of_many_streams_that_is_hidden_looks_like_one_that_is_missing(owner):
    make_stream("theirs", owner=make_owner(), visibility=Visibility.RESTRICTED)
    client = ApiClient(key=make_key(owner))
    mine = [make_stream(f"s-{number}", owner=owner).name for number in range(3)]

    hidden, missing = (
        client.post("/events", [{"stream": name, "payload": 1} for name in [*mine, other]])
        for other in ("theirs", "nowhere")
    )

    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert hidden.json()["detail"].replace("theirs", "nowhere") == missing.json()["detail"]
    assert read_back(client, mine[0]).json() == []


def test_a_paused_stream_refuses_and_a_resumed_one_accepts(shop):
    assert shop.patch("/streams/orders", {"paused": True}).status_code == 200
    refused = shop.post("/events", {"stream": "orders", "payload": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "stream_paused")
    assert shop.patch("/streams/orders", {"paused": False}).status_code == 200
    assert shop.post("/events", {"stream": "orders", "payload": 1}).json()["offset"] == 1


def test_a_stream_that_was_made_anew_elsewhere_takes_events_at_once(shop, owner):
    shop.post("/events", {"stream": "orders", "payload": "old"})
    stale = find_stream("orders")
    shop.delete("/streams/orders?confirm=orders")
    make_stream("orders", owner=owner)
    lookup._memory.get("orders", lambda: stale)
    assert shop.post("/events", {"stream": "orders", "payload": "new"}).status_code == 202
    assert [event["payload"] for event in read_back(shop).json()] == ["new"]


def test_a_missing_stream_and_a_hidden_one_look_the_same(shop):
    make_stream("secret", visibility="restricted")
    missing = shop.post("/events", {"stream": "nothing", "payload": 1})
    hidden = shop.post("/events", {"stream": "secret", "payload": 1})
    assert missing.status_code == hidden.status_code == 404
    strip = {"request_id"}
    assert {k: v for k, v in missing.json().items() if k not in strip} == {
        k: v for k, v in hidden.json().items() if k not in strip
    }


def test_who_may_read_a_stream_may_not_therefore_append(shop):
    reader = ApiClient(key=make_key(make_user(Role.PRODUCER, Role.CONSUMER)))
    refused = reader.post("/events", {"stream": "orders", "payload": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


def test_a_key_without_the_scope_may_not_append(owner, shop):
    reader = ApiClient(key=make_key(owner, Right.CONSUME))
    refused = reader.post("/events", {"stream": "orders", "payload": 1})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")


class TestIdempotencyKey:
    def test_a_retry_is_answered_with_the_first_result(self, shop):
        body = [{"stream": "orders", "payload": n} for n in range(3)]
        first = shop.post("/events", body, Idempotency_Key="abc")
        again = shop.post("/events", body, Idempotency_Key="abc")
        assert again.status_code == 202
        assert again.content == first.content
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(read_back(shop).json()) == 3

    def test_another_request_with_the_same_key_is_refused(self, shop):
        shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc")
        refused = shop.post("/events", {"stream": "orders", "payload": 2}, Idempotency_Key="abc")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        assert len(read_back(shop).json()) == 1

    def test_one_line_is_another_request_than_the_one_event_that_it_is(self, shop):
        event = orjson.dumps({"stream": "orders", "payload": 1})
        shop.post("/events", event, Idempotency_Key="abc")
        refused = shop.post("/events", event, content_type="application/x-ndjson", Idempotency_Key="abc")
        assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
        first = shop.post("/events", event, content_type="application/x-ndjson", Idempotency_Key="line")
        again = shop.post("/events", event, content_type="application/x-ndjson", Idempotency_Key="line")
        assert (again.content, again.json()["accepted"]) == (first.content, 1)

    def test_a_retry_says_as_the_first_did_that_it_is_minimal(self, shop):
        body = [{"stream": "orders", "payload": n} for n in range(2)]
        first, again = (shop.post("/events", body, Idempotency_Key="abc", Prefer="return=minimal") for _ in range(2))
        assert again.headers["Idempotent-Replayed"] == "true"
        assert again.headers["Preference-Applied"] == first.headers["Preference-Applied"] == "return=minimal"
        assert again.content == first.content

    def test_the_same_key_of_another_caller_is_another_key(self, shop, owner):
        other = ApiClient(key=make_key(owner))
        assert shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc").json()["offset"] == 1
        assert other.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc").json()["offset"] == 2

    def test_a_retry_of_a_stored_request_is_answered_though_the_stream_was_paused_since(self, shop):
        first = shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc")
        shop.patch("/streams/orders", {"paused": True})
        again = shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc")
        assert (again.status_code, again.content) == (202, first.content)
        assert shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="new").status_code == 409

    def test_a_retry_after_the_stream_was_deleted_and_made_anew_is_told_so(self, shop):
        """The answer of then would say that an event is stored which nobody will ever find."""
        shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc")
        assert shop.delete("/streams/orders?confirm=orders").status_code == 204
        assert shop.post("/streams", {"name": "orders"}).status_code == 201

        refused = shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc")

        assert (refused.status_code, refused.json()["code"]) == (409, "stream_recreated")
        assert read_back(shop).json() == []
        assert shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="new").json()["offset"] == 1

    @pytest.mark.parametrize("key", ["", "k" * 256, '"quoted"', "two words", "a,b", "ä"])
    def test_a_malformed_key_is_refused(self, shop, key):
        refused = shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key=key)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_idempotency_key")

    def test_a_refused_request_leaves_its_key_free(self, shop):
        assert shop.post("/events", {"stream": "orders"}, Idempotency_Key="abc").status_code == 422
        assert shop.post("/events", {"stream": "orders", "payload": 1}, Idempotency_Key="abc").status_code == 202


def test_minimal_answers_are_asked_for(shop):
    body = orjson.dumps([{"stream": "orders", "payload": n} for n in range(2)])
    answer = shop.post("/events", body, Prefer="return=minimal")
    assert answer.json() == {
        "accepted": 2,
        "ranges": [{"stream": "orders", "partition": 0, "first_offset": 1, "last_offset": 2}],
    }
    assert answer.headers["Preference-Applied"] == "return=minimal"
