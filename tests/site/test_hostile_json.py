"""Hostile JSON: each row alone, in the middle of a valid batch, and as a line of NDJSON.

What is accepted comes back byte for byte; what is refused leaves nothing behind, in a problem of its own code.
"""

import pytest

from accounts.models import ApiKey
from accounts.roles import Role
from consumers.models import ConsumerGroup, GroupOffset
from streams.models import EventBatch, Partition, Stream
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_stream, make_token, make_user
from tests.site.hostile import assert_refused

pytestmark = [pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits")]

NDJSON = "application/x-ndjson"
DEEP = 100_000

# Values of a payload that are kept as they are.
KEPT = {
    "a float too large": b"1e400",
    "a float too small": b"1e-400",
    "an integer of 4,000 digits": b"7" * 4000,
    "an integer of 5,000 digits": b"7" * 5000,
    "2 ** 64": b"18446744073709551616",
    "2 ** 53 + 1": b"9007199254740993",
    "minus zero": b"-0",
    "NUL in a value": rb'"a\u0000b"',
    "NUL in a key": rb'{"\u0000":1}',
    "escaped slash": rb'"\u002f \/"',
    "mixed case escapes": rb'"\u00Fc\u00fC"',
    "a surrogate pair": rb'"\ud83d\uDE00"',
    "an escaped backslash before a u": rb'"\\ud800"',
    "an emoji": '"😀👩‍👩‍👧"'.encode(),
    "NFC and NFD keys": '{"é":1,"é":2}'.encode(),
    "a noncharacter": '"\uffff\U0010ffff"'.encode(),
    "bidi marks": '"\u202eevil\u200b"'.encode(),
    "a line separator": '"\u2028\u2029\x7f"'.encode(),
    "duplicate keys": b'{"a":1,"a":2}',
    "a prototype": b'{"__proto__":{"x":1},"constructor":{}}',
    "markup": b'"<script>alert(1)</script>{{7*7}}{% debug %}"',
    "a script's end": b'"</script><script>alert(1)</script>"',
    "a formula": b'"=HYPERLINK(1)"',
    "SQL": rb'"\u0027 OR 1=1; DROP TABLE streams_stream --"',
    "terminal escapes": rb'"\u001b[2J\r\n{\"level\":\"error\"}"',
    "64 levels": b"[" * 64 + b"]" * 64,
    "many brackets in a string": b'"' + b"[" * 500 + b'"',
    "null": b"null",
    "nothing at all": b'""',
    "a very long key": b'{"' + b"k" * 100_000 + b'":1}',
    "100,000 keys": b"{" + b",".join(b'"%d":0' % n for n in range(50_000)) + b"}",
}

REFUSED = {
    "NaN": (b"NaN", "invalid_json"),
    "NaN in an object": (b'{"data":NaN}', "invalid_json"),
    "Infinity": (b"Infinity", "invalid_json"),
    "-Infinity": (b"-Infinity", "invalid_json"),
    "a lone high surrogate": (rb'"\ud800"', "invalid_unicode"),
    "a high surrogate before text": (rb'"\ud800x"', "invalid_unicode"),
    "a lone low surrogate": (rb'"\udc00"', "invalid_unicode"),
    "a lone low surrogate as key": (rb'{"\udC00":1}', "invalid_unicode"),
    "surrogates the wrong way round": (rb'"\udc00\ud800"', "invalid_unicode"),
    "two high surrogates": (rb'"\ud83d\ud83d\ude00"', "invalid_unicode"),
    "bytes FF FE": (b'"\xff\xfe"', "invalid_utf8"),
    "overlong C0 80": (b'"\xc0\x80"', "invalid_utf8"),
    "CESU-8": (b'"\xed\xa0\x80\xed\xb0\x80"', "invalid_utf8"),
    "beyond U+10FFFF": (b'"\xf4\x90\x80\x80"', "invalid_utf8"),
    "a cut character": (b'"\xe2\x82"', "invalid_utf8"),
    "a raw NUL": (b'"\x00"', "invalid_utf8"),
    "a raw newline in a string": (b'"a\nb"', "invalid_json"),
    "a raw tab in a string": (b'"a\tb"', "invalid_json"),
    "an unknown escape": (rb'"\x41"', "invalid_json"),
    "a cut escape": (rb'"\u12"', "invalid_json"),
    "single quotes": (b"'a'", "invalid_json"),
    "a trailing comma": (b"[1,]", "invalid_json"),
    "a comment": (b"1/* */", "invalid_json"),
    "a leading zero": (b"01", "invalid_json"),
    "a leading plus": (b"+1", "invalid_json"),
    "hexadecimal": (b"0x10", "invalid_json"),
    "a bare point": (b"1.", "invalid_json"),
    "a bare exponent": (b"1e", "invalid_json"),
    "Python's None": (b"None", "invalid_json"),
    "an undefined": (b"undefined", "invalid_json"),
    "nothing": (b"", "invalid_json"),
    "65 levels": (b"[" * 65 + b"]" * 65, "too_deep"),
    "65 levels of objects": (b'{"a":' * 65 + b"1" + b"}" * 65, "too_deep"),
    "100,000 levels": (b"[" * DEEP + b"]" * DEEP, "too_deep"),
    "100,000 openings": (b"[" * DEEP, "too_deep"),
    "an event's end": (b"1}", "invalid_json"),
}

BODIES = {
    "empty": (b"", "empty_body"),
    "spaces": (b" \r\n\t ", "invalid_json"),
    "a byte order mark": (b'\xef\xbb\xbf{"stream":"orders","payload":1}', "invalid_json"),
    "UTF-16": ('{"stream":"orders","payload":1}'.encode("utf-16-le"), "invalid_utf8"),
    "UTF-16 with a mark": ('{"stream":"orders","payload":1}'.encode("utf-16"), "invalid_utf8"),
    "UTF-32": ('{"stream":"orders","payload":1}'.encode("utf-32-le"), "invalid_utf8"),
    "two documents": (b'{"stream":"orders","payload":1}{"stream":"orders","payload":1}', "invalid_json"),
    "garbage behind": (b'{"stream":"orders","payload":1}x', "invalid_json"),
    "a closing bracket behind": (b'[{"stream":"orders","payload":1}]]', "invalid_json"),
    "a form feed behind": (b'{"stream":"orders","payload":1}\x0c', "invalid_json"),
    "a cut document": (b'{"stream":"orders","payload":1', "invalid_json"),
    "a cut array": (b'[{"stream":"orders","payload":1},', "invalid_json"),
    "a trailing comma": (b'[{"stream":"orders","payload":1},]', "invalid_json"),
    "a form": (b"stream=orders&payload=1", "invalid_json"),
    "XML": (b"<event><stream>orders</stream></event>", "invalid_json"),
}


@pytest.fixture
def owner():
    return make_user(Role.PRODUCER, Role.CONSUMER)


@pytest.fixture
def shop(owner):
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def event(payload: bytes) -> bytes:
    return b'{"stream":"orders","payload":' + payload + b"}"


def arrangements(payload: bytes) -> dict[str, tuple[bytes, str, int]]:
    """The payload alone, among others, and as a line; with how many events that are."""
    return {
        "alone": (event(payload), "application/json", 1),
        "in an array": (b"[" + b",".join([event(b"1"), event(payload), event(b"3")]) + b"]", "application/json", 3),
        "as a line": (b"\n".join([event(b"1"), event(payload), event(b"3"), b""]), NDJSON, 3),
    }


def assert_nothing_is_stored() -> None:
    assert not EventBatch.objects.exists()
    assert set(Partition.objects.values_list("head_offset", flat=True)) <= {0}


@pytest.mark.parametrize("name", KEPT)
def test_a_payload_that_is_kept_comes_back_as_sent(shop, name):
    payload = KEPT[name]
    head = 0
    for body, content_type, count in arrangements(payload).values():
        answer = shop.post("/events", body, content_type=content_type)
        assert answer.status_code == 202, answer.content[:300]
        position = head + (1 if count == 1 else 2)
        stored = shop.get(f"/streams/orders/events/0/{position}")
        assert stored.content.endswith(b'"payload":' + payload + b"}"), stored.content[:300]
        head += count
    polled = shop.get("/streams/orders/events", limit=1000, max_bytes=8_000_000)
    assert polled.content.count(b'"payload":' + payload + b"}") >= 3


@pytest.mark.parametrize("name", REFUSED)
def test_a_payload_that_is_refused_leaves_nothing(shop, name):
    payload, code = REFUSED[name]
    for how, (body, content_type, _) in arrangements(payload).items():
        answer = shop.post("/events", body, content_type=content_type)
        if how == "as a line" and b"\n" in payload:
            assert_refused(answer, 400, "invalid_json", sent=body)
        else:
            assert_refused(answer, 400, code, sent=body)
    assert_nothing_is_stored()


@pytest.mark.parametrize("name", BODIES)
def test_a_body_that_is_no_document_leaves_nothing(shop, name):
    body, code = BODIES[name]
    for path in ("/events", "/streams/orders/events"):
        answer = shop.post(path, body, Content_Type="application/json")
        assert_refused(answer, 400, code, sent=body)
    assert_nothing_is_stored()


@pytest.mark.parametrize("field", ["type", "stream"])
def test_nul_in_a_name_leaves_nothing(shop, field):
    bad = b'{"stream":"orders","type":"t","payload":1}'.replace(
        b'"%b":"' % field.encode(), rb'"%b":"a\u0000' % field.encode()
    )
    for body, content_type in (
        (bad, "application/json"),
        (b"[" + b",".join([event(b"1"), bad, event(b"3")]) + b"]", "application/json"),
        (b"\n".join([event(b"1"), bad, event(b"3"), b""]), NDJSON),
    ):
        assert_refused(shop.post("/events", body, content_type=content_type), 400, "invalid_unicode", sent=body)
    assert_nothing_is_stored()


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        ([b"{", event(b"2")], 1),
        ([event(b"1"), b"", event(b"nope"), event(b"4")], 3),
        ([b'{"stream":"orders"}', event(rb'"\ud800"')], 2),
        ([event(b"1"), event(b"[" * DEEP)], 2),
    ],
)
def test_a_line_that_is_no_document_is_told_by_its_number(shop, lines, number):
    answer = shop.post("/events", b"\n".join(lines), content_type=NDJSON)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(f"Line {number}: ")
    assert_nothing_is_stored()


@pytest.mark.parametrize("body", [b"null", b'"x"', b"5", b"true", b"[]", b"[[]]", b"[1]", b'["a"]', b"[null]", b"{}"])
def test_a_document_of_another_kind_is_told_so(shop, body):
    answer = shop.post("/events", body)
    assert answer.status_code in (400, 422), answer.content
    code = answer.json()["code"]
    assert_refused(answer, answer.status_code, code, sent=body)
    assert (answer.status_code, code) in {(400, "expected_object"), (422, "invalid_events")}
    among = shop.post("/events", b"[" + event(b"1") + b"," + body + b"," + event(b"2") + b"]")
    assert_refused(among, 422, "invalid_events")
    assert {error["pointer"].split("/")[1] for error in among.json()["errors"]} == {"1"}
    assert_nothing_is_stored()


# --- every endpoint that takes JSON into columns ----------------------------------------------------

ENDPOINTS = {
    "login": ("POST", "/auth/login", {"email": "a@example.com", "password": "p"}),
    "refresh": ("POST", "/auth/refresh", {"refresh": "r"}),
    "logout": ("POST", "/auth/logout", {"refresh": "r"}),
    "create a stream": ("POST", "/streams", {"name": "new-stream", "description": "d"}),
    "change a stream": ("PATCH", "/streams/orders", {"description": "d"}),
    "create a group": ("POST", "/streams/orders/consumer-groups", {"name": "new-group"}),
    "change a group": ("PATCH", "/streams/orders/consumer-groups/billing", {"paused": True}),
    "commit": ("POST", "/streams/orders/consumer-groups/billing/offsets", {"offset": 0}),
    "create a key": ("POST", "/api-keys", {"name": "n", "scopes": ["consume"]}),
}

ANY_BODY = {
    **{name: row for name, row in BODIES.items() if name != "a cut array"},
    **{name: (b'{"name":' + payload + b"}", code) for name, (payload, code) in REFUSED.items()},
    "NUL in a value": (rb'{"name":"a\u0000b"}', "invalid_unicode"),
    "NUL in a key": (rb'{"na\u0000me":"a"}', "invalid_unicode"),
    "NUL deep inside": (rb'{"name":{"a":["\u0000"]}}', "invalid_unicode"),
    "null": (b"null", "expected_object"),
    "an array": (b"[]", "expected_object"),
    "text": (b'"x"', "expected_object"),
    "a number": (b"5", "expected_object"),
    "a truth": (b"true", "expected_object"),
}


@pytest.fixture
def person(owner, shop):
    make_group(Stream.objects.get(name="orders"), "billing")
    return ApiClient(token=make_token(owner))


def send(client, endpoint, body, **options):
    method, path, _ = ENDPOINTS[endpoint]
    return {"POST": client.post, "PATCH": client.patch}[method](path, body, **options)


def snapshot():
    return [
        list(model.objects.order_by("pk").values_list())
        for model in (Stream, Partition, ConsumerGroup, GroupOffset, ApiKey)
    ]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_refuses_what_is_no_object(person, endpoint):
    before = snapshot()
    for name, (body, code) in ANY_BODY.items():
        if not body and ENDPOINTS[endpoint][0] == "PATCH":
            # Nothing to change is nothing wrong.
            continue
        answer = send(person, endpoint, body)
        try:
            assert_refused(answer, 400, code, sent=body)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
    assert snapshot() == before


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "field", ["tenant_id", "role", "is_admin", "id", "owner_id", "is_superuser", "__proto__", "a" * 5000]
)
def test_no_endpoint_takes_fields_that_it_does_not_have(person, endpoint, field):
    before = snapshot()
    answer = send(person, endpoint, ENDPOINTS[endpoint][2] | {field: 1})
    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["unknown_field"]
    assert_refused(answer, 422, sent=field)
    assert snapshot() == before


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    "number", [b"7" * 4000, b"7" * 5000, b"1e400", b"-1e400", b"1e5", b"9" * 30, b"18446744073709551616"], ids=len
)
def test_a_number_that_is_no_column_is_refused_in_our_words(person, endpoint, number):
    before = snapshot()
    for field in ENDPOINTS[endpoint][2]:
        answer = send(person, endpoint, b'{"%s":%s}' % (field.encode(), number))
        assert answer.status_code in (400, 422), answer.content[:300]
        assert_refused(answer, answer.status_code, sent=number)
    assert snapshot() == before


# --- far too much of anything -----------------------------------------------------------------------

ZEROS = [0] * 100_000
TOO_MUCH = {
    "ids of a bulk action": ("/dead-letters/discard", {"dry_run": True, "filter": {"ids": ZEROS}}, "/filter"),
    "a few too many ids": ("/dead-letters/discard", {"dry_run": True, "filter": {"ids": [0] * 1001}}, "/filter/ids"),
    "wrong ids": ("/dead-letters/redrive", {"filter": {"ids": [0] * 1000}}, "/filter/ids/0"),
    "scopes": ("/api-keys", {"name": "n", "scopes": ZEROS}, "/scopes"),
    "streams of a key": ("/api-keys", {"name": "n", "scopes": ["consume"], "streams": ZEROS}, "/streams"),
    "a few too many streams": ("/api-keys", {"name": "n", "scopes": ["consume"], "streams": ["!"] * 101}, "/streams"),
    "backoff": ("/streams/orders/consumer-groups", {"name": "g", "backoff": ZEROS}, "/backoff"),
    "offsets": ("/streams/orders/consumer-groups/billing/offsets", {"offsets": ZEROS}, "/offsets"),
    "empty offsets": ("/streams/orders/consumer-groups/billing/offsets", {"offsets": [{}] * 256}, "/offsets/0"),
    "labels": ("/streams", {"name": "n", "labels": {str(n): 0 for n in range(50_000)}}, "/labels"),
    "numbers next to nothing": (
        "/streams/orders/consumer-groups/billing/ack",
        b'{"deliveries":[{"delivery_id":1,"lease_token":"' + b"0" * 32 + b'","failed":['
        + b",".join([b'{"offset":1,"delay":1e-310}'] * 101) + b"]}]}",
        "/deliveries",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_is_far_too_much_is_refused_with_few_words(person, what):
    path, body, pointer = TOO_MUCH[what]
    before = snapshot()
    answer = person.post(path, body)
    assert_refused(answer, 422, "invalid_request")
    faults = answer.json()["errors"]
    assert faults[0]["pointer"].startswith(pointer)
    # 256 offsets, 1,000 ids: no more than a hundred of the faults are told.
    assert len(faults) <= 100
    assert snapshot() == before


def test_an_error_text_may_be_full_of_numbers_that_are_next_to_nothing(person):
    """As the words of a numerical program are; only those that would be read as numbers cost anything."""
    failed = {"delivery_id": 1, "lease_token": "0" * 32, "error": "gradients vanished: [" + "1e-310, " * 200 + "]"}
    answer = person.post("/streams/orders/consumer-groups/billing/nack", {"deliveries": [failed]})
    # The group is in offset mode: whatever is said of the body was said before.
    assert answer.json()["code"] == "wrong_mode"


def test_more_fields_than_any_endpoint_has_are_too_large(person):
    answer = person.post("/streams", {f"field{n}": 0 for n in range(101)})
    assert_refused(answer, 413, "payload_too_large")


@pytest.mark.parametrize("content_type", ["application/json", NDJSON])
def test_more_events_than_a_request_may_have_are_refused_before_any_is_judged(shop, content_type):
    body = b"0\n" * 1001 if content_type == NDJSON else b"[" + b"0," * 1000 + b"0]"
    assert_refused(shop.post("/events", body, content_type=content_type), 413, "payload_too_large")
    assert_nothing_is_stored()
