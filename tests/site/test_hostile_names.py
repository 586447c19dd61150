"""Hostile names, ids, keys and texts: plain ASCII names, and everything else shown as nothing but text."""

import pytest

from accounts.models import ApiKey, IdempotencyRecord
from accounts.roles import Role
from consumers.models import ConsumerGroup
from streams.models import Partition, Stream
from streams.partitioning import partition_of_key
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_stream, make_token, make_user
from tests.site.hostile import assert_refused
from tests.threads import at_once

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits")]

NO_NAMES = [
    "", " ", ".", "..", "../../etc/passwd", "a/b", "a\\b", "a%2Fb", "a b", "a\tb", "a\r\nb", "a\n", "\na", "a\u202eb",
    "a\u200b", "İ", "ｏｒｄｅｒｓ", "orders😀", "e\u0301", "é", "ORDERS", "Orders", "-a", "_a", ".a", "a" * 129,
    "a" * 1_000, "a:b", "a;b", "a?b", "a#b", "a&b", "a=b", "a,b", "a'b", 'a"b', "a`b", "a$b", "{{7*7}}", "{% debug %}",
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)", "' OR 1=1--", "a;DROP TABLE",
    "a%", "%", "a*", "\x1b[2J", "a\x7f", "\ufeffa", "а",
]  # fmt: skip
RESERVED = ["new", "admin", "metrics", "null", "none", "true", "false", "undefined", "constructor", "api", "all"]
NO_TEXTS = [123, 0, 1.5, True, False, None, [], ["a"], {}, {"a": "b"}]

FINE_NAMES = ["a", "0", "a" * 128, "a.b", "a-b_c.d", "1e5", "00000000-0000-0000-0000-000000000000", "a..b", "a-", "a."]


@pytest.fixture
def owner():
    return make_user(Role.PRODUCER, Role.CONSUMER)


@pytest.fixture
def client(owner):
    make_stream("orders", owner=owner)
    return ApiClient(token=make_token(owner))


def test_a_stream_and_a_group_have_plain_names(client):
    for path in ("/streams", "/streams/orders/consumer-groups"):
        for name in NO_NAMES:
            answer = client.post(path, {"name": name})
            try:
                assert answer.status_code == 422, answer.content
                assert answer.json()["code"] in ("invalid_name", "invalid_request")
                assert_refused(answer, 422, sent=name)
            except AssertionError as error:
                raise AssertionError(f"{name[:30]!r}: {error}") from error
        for name in RESERVED:
            assert_refused(client.post(path, {"name": name}), 422, "reserved_name")
        for name in ("_dlq",):
            assert client.post(path, {"name": name}).status_code == 422
        for name in NO_TEXTS:
            assert_refused(client.post(path, {"name": name}), 422, "invalid_request")
    assert Stream.objects.count() == 1
    assert not ConsumerGroup.objects.exists()


def test_a_plain_name_works_wherever_it_stands(client):
    for name in FINE_NAMES:
        assert client.post("/streams", {"name": name}).status_code == 201, name
        assert client.post(f"/streams/{name}/consumer-groups", {"name": name}).status_code == 201
        assert client.post("/events", {"stream": name, "payload": name}).json()["stream"] == name
        polled = client.get(f"/streams/{name}/events", consumer_group_id=name)
        assert [event["payload"] for event in polled.json()] == [name]
        assert client.post(f"/streams/{name}/consumer-groups/{name}/offsets", {"offset": 1}).status_code == 200
        assert client.get(f"/streams/{name}/stats").json()["consumer_groups"][0]["id"] == name
        assert client.delete(f"/streams/{name}?confirm={name}").status_code == 204


def test_a_name_that_is_none_is_nowhere(client):
    for name in NO_NAMES:
        for field in ({"stream": name, "payload": 1},):
            assert_refused(client.post("/events", field), 404, "stream_not_found", sent=name)
            good = {"stream": "orders", "payload": 1}
            assert_refused(client.post("/events", [good, field, good]), 404, "stream_not_found", sent=name)
        answer = client.get("/streams/orders/events", consumer_group_id=name)
        assert answer.status_code in (404, 422)
        assert_refused(answer, answer.status_code, sent=name)
    assert Partition.objects.get().head_offset == 0


def test_names_in_a_path_answer_404_or_400(client, owner):
    make_group(Stream.objects.get(name="orders"), "billing")
    for name in NO_NAMES:
        if not name or "/" in name or name in (".", ".."):
            continue
        for path in (
            f"/streams/{name}",
            f"/streams/{name}/events",
            f"/streams/{name}/stats",
            f"/streams/orders/consumer-groups/{name}",
            f"/streams/orders/consumer-groups/{name}/offsets",
        ):
            answer = client.get(path.replace("%", "%25").replace("?", "%3f").replace("#", "%23"))
            assert answer.status_code in (400, 404), (path, answer.status_code, answer.content)
            assert_refused(answer, answer.status_code, sent=name)


KEY_IDS = [
    "0", "-1", "1e5", "1 OR 1=1", "00000000000000000000000000000000", "{00000000-0000-0000-0000-000000000000}", "%25",
    "C232AB00-9414-11EC-B3C8-9F6BDECED846", "' OR 1=1--", "_" * 12, "é" * 12, "a" * 65, "null", "x" * 1500,
]  # fmt: skip


def test_an_id_that_is_none_finds_nothing(client, owner):
    make_key(owner)
    for key_id in KEY_IDS:
        for answer in (client.delete(f"/api-keys/{key_id}"), client.post(f"/api-keys/{key_id}/rotate", {})):
            assert_refused(answer, 404, sent=key_id)
    assert ApiKey.objects.filter(revoked_at__isnull=True).count() == 1


def test_the_streams_of_a_key_are_names(client):
    for streams in (
        [],
        "orders",
        [""],
        ["a b"],
        ["ORDERS"],
        ["a\u202eb"],
        ["../x"],
        [5],
        [None],
        [["a"]],
        {"a": 1},
        ["a" * 129],
        ["a"] * 101,
    ):
        answer = client.post("/api-keys", {"name": "n", "scopes": ["consume"], "streams": streams})
        assert_refused(answer, 422)
    assert not ApiKey.objects.exists()


def test_the_scopes_of_a_key_are_known(client):
    for scopes in (
        [],
        ["admin"],
        ["*"],
        "produce",
        ["produce", "PRODUCE"],
        [1],
        [None],
        [["produce"]],
        {"produce": 1},
        ["produce"] * 5,
        None,
    ):
        assert_refused(client.post("/api-keys", {"name": "n", "scopes": scopes}), 422, "invalid_request")
    assert not ApiKey.objects.exists()
    assert client.post("/api-keys", {"name": "n", "scopes": ["consume", "consume"]}).json()["scopes"] == ["consume"]


def test_a_search_is_taken_literally(client, owner):
    for name in ("a-b", "a.b", "axb"):
        make_stream(name, owner=owner)
    found = {
        text: sorted(stream["name"] for stream in client.get("/streams", name=text).json()["data"])
        for text in ("%", "_", "a.b", "a_b", "a%b", "' OR 1=1--", "\\", "A-B", "(", "[a-z]")
    }
    assert found == {text: (["a.b"] if text == "a.b" else []) for text in found}
    assert_refused(client.get("/streams", name="a\x00b"), 422, "invalid_parameter")
    assert client.get("/streams", name="x" * 5000).json()["data"] == []


def test_a_filter_that_makes_no_sense_is_refused(client):
    for query in ("paused=maybe", "paused=2", "paused=True", "owner=%00", "id=1", "order=name"):
        answer = client.get(f"/streams?{query}")
        assert_refused(answer, 422, "unknown_field" if query[:2] in ("id", "or") else "invalid_parameter")
    for query, names in (("paused=true", []), ("paused=false", ["orders"])):
        assert [stream["name"] for stream in client.get(f"/streams?{query}").json()["data"]] == names


# --- the keys of events --------------------------------------------------------------------------------


def test_the_key_of_an_event_may_be_anything_short(client, owner):
    make_stream("wide", owner=owner, partitions=4)
    keys = ["\u0000", "\u202e", " ", "\n", "😀", "a" * 512, "null", "0", "../x", "<script>", "{{7*7}}", "e\u0301", "é"]
    for key in keys:
        first, second = (client.post("/events", {"stream": "wide", "key": key, "payload": 1}).json() for _ in range(2))
        assert first["partition"] == second["partition"]
        event = client.get(f"/streams/wide/events/{first['partition']}/{first['offset']}").json()
        assert event["key"] == key
    for key in ("", "a" * 513, "é" * 257, "a" * 10_240, 5, 1.5, True, [], {}):
        assert_refused(client.post("/events", {"stream": "wide", "key": key, "payload": 1}), 422, "invalid_events")


def test_no_number_of_different_keys_fills_the_memory(client, owner):
    make_stream("wide", owner=owner, partitions=2)
    for start in range(0, 20_000, 1000):
        body = [{"stream": "wide", "key": f"k{start + n}", "payload": n} for n in range(1000)]
        assert client.post("/events", body, Prefer="return=minimal").status_code == 202
    remembered = partition_of_key.cache_info()
    assert remembered.currsize <= remembered.maxsize < 20_000


# --- Idempotency-Key ---------------------------------------------------------------------------------------

EVENT = {"stream": "orders", "payload": 1}


def test_an_idempotency_key_is_short_and_plain(client):
    for key in ("", " ", '"quoted"', "a b", "a,b", "k" * 256, "k" * 1024, "é", "a\tb", "ключ"):
        for path, body in (("/events", EVENT), ("/streams", {"name": "made"})):
            assert_refused(client.post(path, body, Idempotency_Key=key), 400, "invalid_idempotency_key", sent=key)
    assert Partition.objects.get().head_offset == 0
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("path", ["/events", "/streams/orders/events"])
def test_an_idempotency_key_belongs_to_one_request(client, path):
    body = {"stream": "orders", "payload": 1}
    assert client.post(path, body, Idempotency_Key="k").status_code == 202
    for other in (
        {"stream": "orders", "payload": 2},
        {"stream": "orders", "payload": 1, "key": "a"},
        [body],
        {"payload": 1, "stream": "orders"},
    ):
        assert_refused(client.post(path, other, Idempotency_Key="k"), 422, "idempotency_key_reused")
    other_path = "/streams/orders/events" if path == "/events" else "/events"
    assert_refused(client.post(other_path, body, Idempotency_Key="k"), 422, "idempotency_key_reused")
    again = client.post(path, body, Idempotency_Key="k")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (202, "true")
    assert Partition.objects.get().head_offset == 1


def test_an_idempotency_key_for_another_stream_or_verb_is_another_request(client, owner):
    make_stream("mails", owner=owner)
    assert client.post("/streams/orders/events", {"payload": 1}, Idempotency_Key="k").status_code == 202
    assert_refused(
        client.post("/streams/mails/events", {"payload": 1}, Idempotency_Key="k"), 422, "idempotency_key_reused"
    )
    assert_refused(client.post("/streams", {"name": "made"}, Idempotency_Key="k"), 422, "idempotency_key_reused")
    assert not Stream.objects.filter(name="made").exists()


def test_an_idempotency_key_of_somebody_else_is_another_key(client, owner):
    others = [ApiClient(key=make_key(owner)), ApiClient(token=make_token(make_user(Role.ADMIN)))]
    for each in [client, *others]:
        answer = each.post("/events", EVENT, Idempotency_Key="k")
        assert answer.status_code == 202
        assert "Idempotent-Replayed" not in answer.headers
    assert Partition.objects.get().head_offset == 3


def test_many_at_once_with_one_idempotency_key_store_once(client, owner):
    key = make_key(owner)
    answers = at_once(*[lambda: ApiClient(key=key).post("/events", [EVENT, EVENT], Idempotency_Key="k")] * 40)
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert_refused(answer, 409, "idempotency_in_progress")
            assert answer.json()["retryable"] is True
    assert Partition.objects.get().head_offset == 2


def test_many_at_once_that_create_one_stream_create_one(owner):
    token = make_token(owner)
    answers = at_once(*[lambda: ApiClient(token=token).post("/streams", {"name": "made"}, Idempotency_Key="k")] * 12)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers if answer.status_code == 201) == 1
    assert Stream.objects.filter(name="made").count() == 1


def test_the_secret_of_a_key_is_in_no_memory(client):
    first = client.post("/api-keys", {"name": "n", "scopes": ["consume"]}, Idempotency_Key="k")
    again = client.post("/api-keys", {"name": "n", "scopes": ["consume"]}, Idempotency_Key="k")
    assert first.json()["secret"].startswith("evf_live_")
    assert again.json() == first.json() | {"secret": None}
    assert ApiKey.objects.count() == 1


# --- texts that come out again ---------------------------------------------------------------------------------

TEXTS = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{7*7}}", "{% debug %}", "\u202eevil", "=1+1", "😀",
    "' OR 1=1--", "a\nb", "\x1b[2J", "%s%n", "${7*7}", "\ufeff", "x" * 120,
]  # fmt: skip


def test_a_text_comes_back_as_it_was_given(client):
    for text in TEXTS:
        answer = client.patch("/streams/orders", {"description": text, "labels": {text[:64]: text}})
        assert (answer.status_code, answer.json()["description"], answer.json()["labels"]) == (
            200,
            text,
            {text[:64]: text},
        )
        assert client.get("/streams/orders").json()["description"] == text
        key = client.post("/api-keys", {"name": text, "scopes": ["consume"]})
        assert (key.status_code, key.json()["name"]) == (201, text)
    names = [key["name"] for key in client.get("/api-keys", limit=250).json()["data"]]
    assert sorted(names) == sorted(TEXTS)


def test_a_text_that_no_column_can_hold_is_refused(client):
    for text in ("a\x00b",):
        assert_refused(client.patch("/streams/orders", {"description": text}), 400, "invalid_unicode")
        assert_refused(client.patch("/streams/orders", {"labels": {"a": text}}), 400, "invalid_unicode")
        assert_refused(client.patch("/streams/orders", {"labels": {text: "a"}}), 400, "invalid_unicode")
        assert_refused(client.post("/api-keys", {"name": text, "scopes": ["consume"]}), 400, "invalid_unicode")
    for name in ("", " " * 121, "x" * 121, 5, None, []):
        assert_refused(client.post("/api-keys", {"name": name, "scopes": ["consume"]}), 422, "invalid_request")
