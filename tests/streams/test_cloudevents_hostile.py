"""CloudEvents that are none: each is refused with its place, and nothing is stored."""

from typing import Any

import orjson
import pytest

from tests.client import ApiClient
from tests.factories import make_key, make_owner, make_stream
from tests.streams.cloudevents import BATCH, MINIMAL, ONE, binary, read_plain

pytestmark = pytest.mark.usefixtures("db_with_commits")
PATH = "/streams/orders/events"


@pytest.fixture
def shop():
    owner = make_owner()
    make_stream("orders", owner=owner)
    return ApiClient(key=make_key(owner))


def faults(answer):
    assert answer.status_code == 422, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid_events"
    return [(error["pointer"], error["code"]) for error in answer.json()["errors"]]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    *(({name: None}, f"/{name}", "required") for name in ("id", "source", "type", "specversion")),
    *(({name: 5}, f"/{name}", "invalid") for name in ("id", "source", "type", "subject", "time", "stream")),
    *(({name: True}, f"/{name}", "invalid") for name in ("dataschema", "datacontenttype", "partitionkey", "subject")),
    *(({name: ""}, f"/{name}", "invalid") for name in ("id", "source", "subject", "dataschema", "partitionkey")),
    *(({"source": text}, "/source", "invalid_text") for text in ("a\nb", "/\x7f")),
    ({"source": "/" * 1025}, "/source", "too_long_attribute"),
    ({"source": "/" * 1024}, "/source", "too_long_attribute"),
    ({"specversion": "0.3"}, "/specversion", "unsupported_version"),
    ({"specversion": "1.0.2"}, "/specversion", "unsupported_version"),
    ({"specversion": 1.0}, "/specversion", "invalid"),
    ({"type": "no spaces please"}, "/type", "invalid_type"),
    ({"type": "größe"}, "/type", "invalid_type"),
    ({"type": "t" * 129}, "/type", "invalid_type"),
    ({"id": "i" * 129}, "/id", "invalid"),
    ({"id": "a\u202eb"}, "/id", "invalid_id"),
    ({"id": "a\x00b"}, "/id", "invalid_text"),
    *(({"source": text}, "/source", "invalid") for text in ("a b", "/ä", "<x>", "/%zz", "a#b#c")),
    *(({"dataschema": text}, "/dataschema", "invalid") for text in ("/relative", "order", "https://a b", ":x")),
    *(({"datacontenttype": text}, "/datacontenttype", "invalid") for text in ("json", "a/b/c", "a/b; c", "", "a/ b")),
    ({"time": "2026-11-22T10:00:00"}, "/time", "timezone_required"),
    *(({"time": text}, "/time", "invalid") for text in ("now", "2026-11-22", "2026-13-01T00:00:00Z", "")),
    ({"time": "0001-01-01T00:00:00+14:00"}, "/time", "out_of_range"),
    ({"recordedtime": "yesterday"}, "/recordedtime", "invalid"),
    ({"partitionkey": "k" * 513}, "/partitionkey", "too_long"),
    ({"partitionkey": "é" * 300}, "/partitionkey", "too_long"),
    *(
        ({name: "x"}, f"/{name}", "invalid_attribute_name")
        for name in ("myExtension", "my-extension", "my_extension", "größe", "a b", "ce-id", "a\x00b")
    ),
    ({"": "x"}, "/", "invalid_attribute_name"),
    *(({name: "1"}, f"/{name}", "reserved_attribute") for name in ("offset", "partition", "erasedtime", "editedby")),
    *(({"ext": value}, "/ext", "invalid") for value in (1.5, 1e3, 2**31, -(2**31) - 1, [], {}, [1], {"a": 1})),
    *(({"ext": text}, "/ext", "invalid_text") for text in ("a\x01b", "\x7f", "\x85", "\ufdd0", "\ufffe", "\U0001ffff")),
    ({"ext": "x" * 1024}, "/ext", "too_long_attribute"),
    ({"data": 1, "data_base64": "AA=="}, "/data_base64", "invalid"),
    ({"data": None, "data_base64": "AA=="}, "/data_base64", "invalid"),
    *(
        ({"data_base64": value}, "/data_base64", "invalid")
        for value in ("A", "AA=", "A A=", "!!!!", "é", "-_-_", 5, "=AAA")
    ),
    ({f"extension{n}": "x" for n in range(32)}, "", "too_many_attributes"),
    ({f"extension{n}": "x" for n in range(5000)}, "", "too_many_attributes"),
    ({"x" * 300_000: "x"}, "", "too_long_attribute"),
]


@pytest.mark.parametrize(("attributes", "pointer", "code"), WRONG, ids=lambda value: str(value)[:60])
def test_each_rule_says_where_it_was_broken(shop, attributes, pointer, code):
    event = {**MINIMAL, **attributes}
    assert faults(shop.post(PATH, event, content_type=ONE)) == [(pointer, code)]
    batch = [MINIMAL, event, MINIMAL | {"id": "3"}]
    assert faults(shop.post(PATH, batch, content_type=BATCH)) == [(f"/1{pointer}", code)]
    assert read_plain(shop) == []


def test_several_faults_are_told_at_once(shop):
    answer = shop.post(
        PATH, [{"id": 5, "offset": "1"}, MINIMAL, 7, "x", None, [], MINIMAL | {"type": "a b"}], content_type=BATCH
    )
    assert faults(answer) == [
        ("/0/specversion", "required"),
        ("/0/source", "required"),
        ("/0/type", "required"),
        ("/0/id", "invalid"),
        ("/0/offset", "reserved_attribute"),
        *((f"/{n}", "expected_object") for n in (2, 3, 4, 5)),
        ("/6/type", "invalid_type"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "empty_body"),
        (b"  ", 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        (b"\xff\xfe{\x00}\x00", 400, "invalid_utf8"),
        (b'{"specversion":"1.0"', 400, "invalid_json"),
        (b'{"specversion":"1.0"} x', 400, "invalid_json"),
        (b'{"a":"\\ud800"}', 400, "invalid_unicode"),
        (b'{"data":"\\ud800"}', 400, "invalid_unicode"),
        (b'{"data":NaN}', 400, "invalid_json"),
        (b"null", 400, "expected_object"),
        (b"5", 400, "expected_object"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_json_is_refused_as_ever(shop, body, status, code):
    for content_type, around in ((ONE, b"%b"), (BATCH, b"[%b]" if body.strip()[:1] == b"{" else b"%b")):
        answer = shop.post(PATH, around % body, content_type=content_type)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def test_one_is_no_batch_and_a_batch_is_not_one(shop):
    for content_type, body in ((ONE, [MINIMAL]), (BATCH, MINIMAL)):
        answer = shop.post(PATH, body, content_type=content_type)
        assert (answer.status_code, answer.json()["code"]) == (400, "expected_object")


def test_depth_and_size_have_their_limits(shop):
    deep = orjson.dumps(MINIMAL)[:-1] + b',"data":' + b"[" * 65 + b"]" * 65 + b"}"
    assert shop.post(PATH, deep, content_type=ONE).json()["code"] == "too_deep"
    deeper = orjson.dumps(MINIMAL)[:-1] + b',"ext":' + b"[" * 100_000 + b"}"
    assert shop.post(PATH, deeper, content_type=ONE).json()["code"] in ("too_deep", "invalid_json")
    assert shop.post(PATH, MINIMAL | {"data": "x" * 1_000_000}, content_type=ONE).status_code == 413
    assert shop.post(PATH, [MINIMAL] * 1001, content_type=BATCH).status_code == 413
    assert shop.post(PATH, MINIMAL | {"data": "x" * 9_000_000}, content_type=ONE).status_code == 413


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        ("application/cloudevents+avro", "unsupported_media_type"),
        ("application/cloudevents", "unsupported_media_type"),
        ("application/cloudevents+json; charset=utf-16", "unsupported_charset"),
    ],
)
def test_other_formats_are_refused(shop, content_type, code):
    answer = shop.post(PATH, MINIMAL, content_type=content_type)
    assert (answer.status_code, answer.json()["code"]) == (415, code)


@pytest.mark.parametrize(
    ("attributes", "pointer", "code"),
    [
        ({"specversion": "1.0,1.0"}, "/specversion", "unsupported_version"),
        ({"specversion": "0.3"}, "/specversion", "unsupported_version"),
        ({"subject": "100%"}, "/subject", "invalid"),
        ({"subject": "%zz"}, "/subject", "invalid"),
        ({"subject": "%C0%A0"}, "/subject", "invalid"),
        ({"subject": "%ED%A0%80"}, "/subject", "invalid"),
        ({"subject": "%FF"}, "/subject", "invalid"),
        ({"subject": "a%00b"}, "/subject", "invalid_text"),
        ({"subject": "a%0D%0Ab"}, "/subject", "invalid_text"),
        ({"subject": ""}, "/subject", "invalid"),
        ({"subject": '""'}, "/subject", "invalid"),
        ({"subject": "\xe9"}, "/subject", "invalid"),
        ({"source": "%20"}, "/source", "invalid"),
        ({"my-extension": "x"}, "/my-extension", "invalid_attribute_name"),
        ({"datacontenttype": "application/json"}, "/datacontenttype", "invalid"),
        ({"data": "x"}, "/data", "invalid"),
        ({"offset": "1"}, "/offset", "reserved_attribute"),
        ({"time": "yesterday"}, "/time", "invalid"),
        ({"type": "a%20b"}, "/type", "invalid_type"),
        ({f"extension{n}": "x" for n in range(40)}, "", "too_many_attributes"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_binary_mode_says_which_header_is_wrong(shop, attributes, pointer, code):
    assert faults(binary(shop, PATH, b"1", **attributes)) == [(pointer, code)]
    assert read_plain(shop) == []


def test_binary_mode_without_its_version_is_told_so(shop):
    attributes = {f"ce-{name}": value for name, value in MINIMAL.items() if name != "specversion"}
    headers = shop.headers | attributes
    for content_type in ("application/json", "text/plain", "application/octet-stream"):
        answer = shop.client.post(f"/api/v1{PATH}", b'{"total":1}', content_type=content_type, headers=headers)
        assert faults(answer) == [("/specversion", "required")]


def test_binary_mode_holds_json_to_be_json(shop):
    for body, code in (
        (b"{", "invalid_json"),
        (b"\xff", "invalid_utf8"),
        (b"1 2", "invalid_json"),
        (b" ", "invalid_json"),
    ):
        answer = binary(shop, PATH, body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    answer = binary(shop, PATH, b"1", content_type="application/json; charset=utf-16")
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_charset")
    answer = binary(shop, PATH, b"1", content_type="no type at all")
    assert faults(answer) == [("/datacontenttype", "invalid")]


def test_words_about_a_fault_do_not_repeat_what_was_sent_at_length(shop):
    answer = shop.post(PATH, MINIMAL | {"X" * 5000: "y"}, content_type=ONE)
    assert faults(answer)[0][1] == "invalid_attribute_name"
    assert len(answer.content) < 2000
