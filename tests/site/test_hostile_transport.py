"""Hostile HTTP against the real web server: what it or the application answers, and that nothing is stored.

Where the server itself answers (it then says nothing but a status), the test says so.
"""

import re
import time
from dataclasses import dataclass

import pytest

from accounts.models import User
from accounts.roles import Role
from streams.models import EventBatch, Partition, Stream
from tests.conftest import delete_everything
from tests.factories import make_key, make_stream, make_token, make_user
from tests.site.hostile import assert_refused
from tests.web_server import WebServer, exchange, receive

pytestmark = pytest.mark.processes

EVENT = b'{"stream":"orders","payload":1}'
LINES = b'{"stream":"orders","payload":1}\n{"stream":"orders","payload":2}\n'


@dataclass
class Shop:
    """What the module's requests are about. It stays: a server in another process remembers it for a second."""

    owner: User
    key: str

    @property
    def head_offset(self) -> int:
        return Partition.objects.get(stream__name="orders").head_offset


@pytest.fixture(scope="module")
def shop(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        owner = make_user(Role.PRODUCER, Role.CONSUMER)
        make_stream("orders", owner=owner)
        yield Shop(owner, make_key(owner))
        delete_everything()


@pytest.fixture(scope="module")
def web(shop):
    with WebServer(EVENTFLOW_ADMIN_PASSWORD="do-not-tell") as server:
        yield server


@pytest.fixture
def owner(shop):
    return shop.owner


@pytest.fixture
def key(shop):
    return shop.key


@pytest.fixture
def nothing_is_stored(shop):
    """The test ends with as many events as it began with."""
    before = shop.head_offset
    yield
    assert shop.head_offset == before
    assert EventBatch.objects.filter(last_offset__gt=before).count() == 0


def head(key: str, *lines: str, method="POST", path="/api/v1/events", content_type="application/json") -> bytes:
    all_lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"X-API-Key: {key}", *lines]
    if content_type:
        all_lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*all_lines, "", ""]).encode("latin-1")


def chunks(*pieces: bytes, end: bool = True) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + (b"0\r\n\r\n" if end else b"")


# --- how long the body is -------------------------------------------------------------------------------


def test_a_plain_request_is_stored(web, shop, key):
    answer = exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT)
    assert (answer.status_code, answer.json()["offset"]) == (202, shop.head_offset)


@pytest.mark.parametrize("pause", [0, 0.05])
def test_chunks_of_json_are_put_together(web, shop, key, pause):
    answer = exchange(
        web, head(key, "Transfer-Encoding: chunked"), chunks(EVENT[:5], end=False), chunks(EVENT[5:]), pause=pause
    )
    assert (answer.status_code, answer.json()["offset"]) == (202, shop.head_offset)


def test_chunks_reach_the_ordinary_endpoints_too(web, owner):
    token = make_token(owner)
    body = b'{"name":"in-chunks","partitions":3}'
    request = head("", "Transfer-Encoding: chunked", path="/api/v1/streams").replace(
        b"X-API-Key: ", b"Authorization: Bearer " + token.encode()
    )
    answer = exchange(web, request, chunks(body[:7], body[7:]))
    assert (answer.status_code, answer.json().get("partitions")) == (201, 3)


@pytest.mark.parametrize("is_cut", [False, True])
@pytest.mark.usefixtures("nothing_is_stored")
def test_chunks_of_lines_are_refused_because_a_cut_would_not_be_seen(web, key, is_cut):
    request = head(key, "Transfer-Encoding: chunked", content_type="application/x-ndjson")
    answer = exchange(web, request, chunks(LINES, end=not is_cut), half_close=is_cut)
    assert_refused(answer, 411, "length_required")


@pytest.mark.usefixtures("nothing_is_stored")
def test_chunks_that_are_cut_inside_a_document_are_no_document(web, key):
    for cut in (1, 10, len(EVENT) - 1):
        answer = exchange(web, head(key, "Transfer-Encoding: chunked"), chunks(EVENT[:cut], end=False), half_close=True)
        assert_refused(answer, 400, "invalid_json")


@pytest.mark.usefixtures("nothing_is_stored")
def test_malformed_chunks_are_refused(web, key):
    # The length says more than comes; the server may see that itself (400) or hand on what there is.
    for body in (b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"fffffffffffffffffff\r\nabc\r\n0\r\n\r\n"):
        answer = exchange(web, head(key, "Transfer-Encoding: chunked"), body, half_close=True)
        assert answer.status_code == 400


@pytest.mark.usefixtures("nothing_is_stored")
def test_endless_chunks_end_at_the_limit(web, key):
    with web.connect() as client:
        client.sendall(head(key, "Transfer-Encoding: chunked"))
        chunk, sent = chunks(b" " * 65536, end=False), 0
        try:
            while sent < 64 * 1024 * 1024:
                client.sendall(chunk)
                sent += 65536
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        assert sent < 32 * 1024 * 1024, "it went on reading"
        try:
            assert_refused(receive(client), 413, "payload_too_large")
        except (AssertionError, OSError) as error:
            # Those who send on while they are told may lose the answer to a reset; they are cut off all the same.
            if "(0, b" not in str(error) and not isinstance(error, OSError):
                raise


@pytest.mark.usefixtures("nothing_is_stored")
def test_a_length_beyond_the_limit_is_refused_without_reading(web, key):
    started = time.monotonic()
    for length in (8 * 1024 * 1024 + 1, 10_000_000_000, 10**17):
        answer = exchange(web, head(key, f"Content-Length: {length}") + b"{}")
        assert_refused(answer, 413, "payload_too_large")
    assert time.monotonic() - started < 10


def test_a_whole_body_of_three_megabytes_is_too_large_for_an_ordinary_endpoint(web, key):
    body = b'{"name":"' + b"n" * 3_000_000 + b'"}'
    answer = exchange(web, head(key, f"Content-Length: {len(body)}", path="/api/v1/streams") + body)
    assert_refused(answer, 413, "payload_too_large", sent=body)


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -3",),
        ("Content-Length: +3",),
        ("Content-Length: 0x1f",),
        ("Content-Length: 3, 4",),
        ("Content-Length: 3", "Content-Length: 31"),
        ("Content-Length: 99999999999999999999999",),
        ("Content-Length: ٣",),
        ("Content-Length: 1_0",),
        ("Transfer-Encoding: gzip",),
        ("Transfer-Encoding: chunked, identity",),
        ("Transfer-Encoding: xchunked",),
    ],
    ids=", ".join,
)
@pytest.mark.usefixtures("nothing_is_stored")
def test_a_length_that_is_none_is_refused_by_the_server(web, key, lines):
    request = head(key).replace(b"\r\n\r\n", b"\r\n" + "\r\n".join(lines).encode() + b"\r\n\r\n")
    answer = exchange(web, request + EVENT, half_close=True)
    assert answer.status_code in (400, 501)
    assert b"<" not in answer.content


def test_two_ways_to_say_the_length_leave_no_room_for_a_second_request(web, shop, key):
    before = shop.head_offset
    smuggled = head(key, f"Content-Length: {len(EVENT)}") + EVENT
    body = chunks(EVENT) + smuggled
    answer = exchange(
        web, head(key, f"Content-Length: {len(body)}", "Transfer-Encoding: chunked") + body, half_close=True
    )
    # Chunks win, as RFC 9112 has it; what follows may be read as the next request of the same sender.
    assert answer.status_code in (202, 400)
    assert shop.head_offset - before <= 2


@pytest.mark.usefixtures("nothing_is_stored")
def test_no_length_means_no_body(web, key):
    answer = exchange(web, head(key) + EVENT, half_close=True)
    assert_refused(answer, 400, "empty_body")


@pytest.mark.parametrize("body", [EVENT, b"[" + EVENT + b"]"])
@pytest.mark.usefixtures("nothing_is_stored")
def test_a_body_that_is_cut_short_is_not_stored_though_it_would_parse(web, key, body):
    answer = exchange(web, head(key, f"Content-Length: {len(body) + 10}") + body, half_close=True)
    assert_refused(answer, 400, "body_truncated")


@pytest.mark.usefixtures("nothing_is_stored")
def test_lines_that_are_cut_between_two_are_not_stored(web, key):
    first = LINES[: LINES.index(b"\n") + 1]
    request = head(key, f"Content-Length: {len(LINES)}", content_type="application/x-ndjson")
    assert_refused(exchange(web, request + first, half_close=True), 400, "body_truncated")


def test_a_client_that_vanishes_in_the_middle_leaves_nothing(web, shop, key):
    before = shop.head_offset
    for _ in range(5):
        with web.connect() as client:
            client.sendall(head(key, f"Content-Length: {len(EVENT) + 1}") + EVENT)
    assert exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT).json()["offset"] == before + 1


def test_a_body_that_is_longer_than_said_is_read_as_far_as_it_was_said(web, shop, key):
    before = shop.head_offset
    answer = exchange(web, head(key, f"Content-Length: {len(EVENT)}", "Connection: close") + EVENT + EVENT)
    assert answer.status_code == 202
    assert shop.head_offset == before + 1


# --- dawdling -------------------------------------------------------------------------------------------


def test_a_head_that_does_not_end_is_sent_away(web):
    with web.connect(timeout=25) as client:
        client.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: localhost\r\nX-Slow")
        started = time.monotonic()
        answer = receive(client)
    assert answer.is_closed
    assert time.monotonic() - started < 20


def test_bodies_that_do_not_come_leave_places_for_others(web, key, owner):
    # The server gives a body all the time it wants, and a thread with it: so only so many may be waited for.
    patient = make_key(owner)
    stuck = []
    try:
        for number in range(60):
            client = web.connect()
            expect = ["Expect: 100-continue"] if number % 2 else []
            client.sendall(head(key, f"Content-Length: {len(EVENT)}", *expect) + EVENT[: number % 3])
            stuck.append(client)
        time.sleep(2.5)
        refused = exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT)
        assert_refused(refused, 429, "too_many_slow_bodies")
        assert refused.headers["Retry-After"] == "1"
        assert exchange(web, head(patient, f"Content-Length: {len(EVENT)}") + EVENT).status_code == 202
        assert exchange(web, head(key, method="GET", path="/api/v1/streams/orders/events")).status_code == 200
    finally:
        for client in stuck:
            client.close()
    deadline = time.monotonic() + 10
    while exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT).status_code != 202:
        assert time.monotonic() < deadline, "their places were not given back"


def test_who_asks_whether_to_go_on_is_told_to(web, key):
    with web.connect() as client:
        client.sendall(head(key, f"Content-Length: {len(EVENT)}", "Expect: 100-continue"))
        assert client.recv(100).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(EVENT)
        assert receive(client).status_code == 202


def test_who_may_not_is_refused_before_any_body_is_asked_for(web):
    with web.connect() as client:
        client.sendall(head("evf_live_wrong", f"Content-Length: {len(EVENT)}", "Expect: 100-continue"))
        answer = receive(client)
    assert_refused(answer, 401, "invalid_credentials")


# --- what kind of body ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "code"),
    [
        (None, "unsupported_media_type"),
        ("text/plain", "unsupported_media_type"),
        ("application/vnd.api+json", "unsupported_media_type"),
        ("application/x-www-form-urlencoded", "unsupported_media_type"),
        ("multipart/form-data; boundary=x", "unsupported_media_type"),
        ("application/jsonx", "unsupported_media_type"),
        ("application", "unsupported_media_type"),
        ("application/json, text/plain", "unsupported_media_type"),
        ("*/*", "unsupported_media_type"),
        (";;;", "unsupported_media_type"),
        ("application/json; charset=utf-16", "unsupported_charset"),
        ("application/json; charset=utf-7", "unsupported_charset"),
        ("application/json; charset=unicode_escape", "unsupported_charset"),
        ("application/json; charset=idna", "unsupported_charset"),
        ("application/json; charset=zlib", "unsupported_charset"),
        ("application/json; charset=hex", "unsupported_charset"),
        ("application/json; charset=base64", "unsupported_charset"),
        ("application/json; charset=rot13", "unsupported_charset"),
        ('application/json; charset="latin-1"', "unsupported_charset"),
        ("application/json; charset=utf-8; charset=utf-16", "unsupported_charset"),
        ("application/json; CHARSET=UTF-32", "unsupported_charset"),
        ("application/json; charset=", "unsupported_charset"),
    ],
)
@pytest.mark.usefixtures("nothing_is_stored")
def test_other_kinds_of_bodies_are_refused(web, key, owner, content_type, code):
    request = head(key, f"Content-Length: {len(EVENT)}", content_type=content_type) + EVENT
    assert_refused(exchange(web, request), 415, code)
    token = f"Authorization: Bearer {make_token(owner)}".encode()
    for path in (b"/api/v1/streams", b"/api/v1/auth/login"):
        ordinary = request.replace(b"/api/v1/events", path).replace(b"X-API-Key: " + key.encode(), token)
        assert_refused(exchange(web, ordinary), 415, code)


@pytest.mark.parametrize(
    "parameter",
    [
        *(f"charset={name}" for name in ("utf-16", "latin-1", "idna", "rot13", "zlib", "hex", "undefined", "punycode")),
        *("charset=nope", "charset*=rot13''utf-16", "a*=nope''%41", "a*='"),
    ],
)
def test_what_is_said_of_a_body_says_nothing_of_the_address(web, key, parameter):
    content_type = f"application/json; {parameter}"
    for path, status in (("/api/v1/streams?owner=gr%C3%B6%C3%9Fe", 200), ("/api/v1/streams?gr%C3%B6%C3%9Fe=1", 422)):
        answer = exchange(web, head(key, method="GET", path=path, content_type=content_type))
        assert answer.status_code == status
        assert (status == 200) or ("größe" in answer.json()["detail"])
    assert (
        exchange(web, head(key, method="GET", path="/sign-in?next=%2F", content_type=content_type)).status_code == 200
    )


@pytest.mark.parametrize("charset", ["rot13", "zlib", "utf-16", "latin-1", "punycode", "undefined"])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_form_in_anything_but_utf8_is_refused(web, key, kind, charset):
    body = b"email=a&password=b"
    lines = f"Content-Length: {len(body)}"
    request = head(key, lines, path="/sign-in?next=%2F", content_type=f"{kind}; charset={charset}") + body
    assert_refused(exchange(web, request), 415, "unsupported_charset")


@pytest.mark.parametrize(
    "content_type", ["application/json;charset=UTF-8", "Application/JSON", 'application/json; charset="utf-8"; v=1']
)
def test_the_usual_ways_to_say_json_are_taken(web, key, content_type):
    assert (
        exchange(web, head(key, f"Content-Length: {len(EVENT)}", content_type=content_type) + EVENT).status_code == 202
    )


@pytest.mark.parametrize("encoding", ["deflate", "br", "gzip, identity", "gzip, gzip", "x", "identity, gzip"])
@pytest.mark.usefixtures("nothing_is_stored")
def test_bodies_that_are_packed_twice_or_in_another_way_are_refused(web, key, encoding):
    request = head(key, f"Content-Length: {len(EVENT)}", f"Content-Encoding: {encoding}") + EVENT
    assert_refused(exchange(web, request), 415, "unsupported_encoding")


def test_a_body_that_would_not_be_unpacked_is_not_waited_for(web, key):
    request = head(key, "Content-Length: 1000", "Content-Encoding: br")
    assert_refused(exchange(web, request, timeout=5), 415, "unsupported_encoding")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.usefixtures("nothing_is_stored")
def test_bodies_that_only_claim_to_be_packed_are_refused(web, key, encoding):
    request = head(key, f"Content-Length: {len(EVENT)}", f"Content-Encoding: {encoding}") + EVENT
    assert_refused(exchange(web, request), 400, "broken_encoding")


# --- headers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [b"a\x00b", b"a\rb", b"a\nb", b"a\r\n b", b"a\x7fb", b"a\x1b[2J"])
@pytest.mark.usefixtures("nothing_is_stored")
def test_control_characters_in_a_header_never_arrive(web, key, value):
    for name in (b"X-Request-Id", b"Idempotency-Key", b"User-Agent"):
        request = head(key, f"Content-Length: {len(EVENT)}").replace(b"\r\n\r\n", b"\r\n%b: %b\r\n\r\n" % (name, value))
        answer = exchange(web, request + EVENT)
        assert answer.status_code == 400


@pytest.mark.parametrize("request_id", ["%0d%0aSet-Cookie: a=b", "a b", "<script>", "x" * 5000, "é", "", "a,b"])
def test_a_request_id_that_is_none_is_replaced(web, key, request_id):
    answer = exchange(web, head(key, f"X-Request-Id: {request_id}", method="GET", path="/api/v1/auth/me"))
    assert answer.status_code == 200
    assert len(answer.headers["X-Request-Id"]) == 36
    assert "Set-Cookie" not in answer.headers


def test_line_breaks_in_an_address_reach_neither_headers_nor_logs(web, key):
    for path in ("/api/v1/streams/a%0d%0aSet-Cookie:%20a=b", "/api/v1/streams/a%0a%7b%22level%22:%22error%22%7d"):
        answer = exchange(web, head(key, method="GET", path=path))
        assert_refused(answer, 400, "bad_request")
        assert "Set-Cookie" not in answer.headers
    for query in ("last_offset=%0d%0aX:%20y", "type=a%0d%0aX:%20y", "consumer_group_id=%00"):
        answer = exchange(web, head(key, method="GET", path=f"/api/v1/streams/orders/events?{query}"))
        assert answer.status_code in (404, 422)
        assert "X" not in answer.headers
    assert '\n{"level":"error"}' not in web.log


@pytest.mark.parametrize("lines", [("X-API-Key: evf_live_other",), ("X-Api-Key: {key}",)])
def test_two_keys_are_no_key(web, key, lines):
    request = head(key, *(line.format(key=key) for line in lines), method="GET", path="/api/v1/auth/me")
    assert_refused(exchange(web, request), 400, "ambiguous_credentials")


@pytest.mark.usefixtures("nothing_is_stored")
def test_two_idempotency_keys_are_none(web, key):
    request = head(key, f"Content-Length: {len(EVENT)}", "Idempotency-Key: a", "Idempotency-Key: b") + EVENT
    assert_refused(exchange(web, request), 400, "invalid_idempotency_key")


@pytest.mark.parametrize(
    ("line", "status", "code"),
    [
        ("Idempotency-Key: größe", 400, "invalid_idempotency_key"),
        ("If-Head: 99999\xa0", 422, "invalid_parameter"),
        ("EventFlow-Atomic: é", 422, "invalid_parameter"),
        ("Content-Encoding: é", 415, "unsupported_encoding"),
        ("Authorization: é", 400, "ambiguous_credentials"),
        ("ce-id: é", 422, "invalid_events"),
        ("ce-specversion: é", 422, "invalid_events"),
    ],
)
@pytest.mark.usefixtures("nothing_is_stored")
def test_what_a_header_asks_in_words_that_cannot_be_read_is_not_passed_over(web, key, line, status, code):
    body = b"1" if line.startswith("ce-") else EVENT
    content_type = "text/plain" if line.startswith("ce-") else "application/json"
    request = head(key, f"Content-Length: {len(body)}", line, content_type=content_type) + body
    assert_refused(exchange(web, request), status, code)


def test_a_condition_that_cannot_be_read_does_not_hold(web, owner):
    body = b'{"description":"changed"}'
    lines = (f"Authorization: Bearer {make_token(owner)}", 'If-Match: "é"', f"Content-Length: {len(body)}")
    request = head("", *lines, method="PATCH", path="/api/v1/streams/orders").replace(b"X-API-Key: \r\n", b"") + body
    assert_refused(exchange(web, request), 412, "precondition_failed")
    assert Stream.objects.get(name="orders").description == ""


def test_a_place_to_go_on_from_that_cannot_be_read_is_none(web, key):
    request = head(key, "Last-Event-ID: é", method="GET", path="/api/v1/streams/orders/events/live")
    assert_refused(exchange(web, request), 422, "invalid_parameter")


def test_a_head_that_is_too_large_is_refused_by_the_server(web, key):
    many = exchange(web, head(key, *(f"X-{n}: 1" for n in range(200)), method="GET"))
    long = exchange(web, head(key, "X-Long: " + "x" * 1_000_000, method="GET"))
    assert (many.status_code, long.status_code) == (431, 431)


def test_what_a_stranger_says_of_forwarding_is_not_believed(web):
    make_user(email="ada@example.com", password="a long enough password")
    body = b'{"email":"ada@example.com","password":"wrong"}'
    statuses = []
    for number in range(13):
        lines = [f"X-Forwarded-For: 10.0.0.{number}", f"X-Real-IP: 10.0.1.{number}", f"Forwarded: for=10.0.2.{number}"]
        lines += [f"X_Forwarded_For: 10.0.3.{number}", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"]
        request = head("", *lines, f"Content-Length: {len(body)}", path="/api/v1/auth/login").replace(
            b"X-API-Key: \r\n", b""
        )
        answer = exchange(web, request + body)
        statuses.append(answer.status_code)
        assert b"evil.example" not in answer.content
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_another_host_is_in_no_address_that_is_answered(web, owner):
    token = make_token(owner)
    body = b'{"name":"made-here"}'
    request = head("", "X-Forwarded-Host: evil.example", f"Content-Length: {len(body)}", path="/api/v1/streams")
    request = request.replace(b"X-API-Key: ", b"Authorization: Bearer " + token.encode())
    refused = exchange(web, request.replace(b"localhost", b"evil.example") + body)
    assert (refused.status_code, refused.json()["code"]) == (400, "unknown_host")
    assert b"evil" not in refused.content
    answer = exchange(web, request + body)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/api/v1/streams/made-here"
    assert b"evil" not in answer.content
    page = exchange(web, b"GET /admin/login/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert page.status_code == 400


# --- methods and addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "BREW", "CONNECT", "PROPFIND", "PUT", "PATCH", "DELETE", "PRI"])
def test_a_method_that_is_not_there_tells_what_is(web, key, method):
    expected = {"/api/v1/events": "POST", "/api/v1/streams": "GET, HEAD, POST", "/api/v1/auth/login": "POST"}
    for path, allow in expected.items():
        answer = exchange(web, head(key, method=method, path=path))
        if method in ("PUT", "PATCH", "DELETE") and path == "/api/v1/streams":
            assert answer.status_code == 405
        assert_refused(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == allow
        assert b"do-not-tell" not in answer.content
        assert b"SECRET" not in answer.content


def test_an_answer_does_not_name_a_method_that_is_not_there(web, key):
    for path in ("/api/v1/streams", "/api/v1/events", "/api/v1/producers", "/api/v1/no-such"):
        answer = exchange(web, head(key, method="GET", path=path))
        assert "OPTIONS" not in answer.headers.get("Allow", "")


def test_connect_leads_nowhere(web):
    answer = exchange(web, b"CONNECT example.com:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.status_code in (0, 405)


def test_options_for_the_server_as_a_whole_is_no_address(web):
    answer = exchange(web, b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.status_code == 405


def test_head_answers_as_get_does_without_a_body(web, key):
    assert exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT).status_code == 202
    for path in ("/api/v1/streams", "/api/v1/streams/orders/events", "/api/v1/auth/me"):
        with web.connect() as client:
            client.sendall(head(key, "Connection: close", method="HEAD", path=path))
            received = b""
            while piece := client.recv(65536):
                received += piece
        assert received.startswith(b"HTTP/1.1 200")
        assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/" + "a" * 8000, 414),
        ("/api/v1" + "/" * 10_000, 414),
        ("/api/v1/streams?" + "a" * 20_000, 414),
        ("/api//v1/streams", 404),
        ("/api/v1//streams", 404),
        ("/api/v1/../admin", 404),
        ("/api/v1/%2e%2e/admin", 404),
        ("/api/v1/streams/", 404),
        ("/api/v1/streams/%00", 400),
        ("/api/v1/streams/a%00b", 400),
        ("/api/v1/streams/%0a", 400),
        ("/api/v1/streams/orders%0a", 400),
        ("/api/v1/streams/%e2%80%ae", 400),
        ("/api/v1/streams/%ff%fe", 404),
        ("/api/v1/streams/%c0%af", 404),
        ("/api/v1/streams/..", 404),
        ("/api/v1/streams/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/api/v1/streams/a%2fb", 404),
        ("/api/v1/streams/a%5cb", 404),
        ("/api/v1/streams/%zz", 404),
        ("/api/v1/streams/;orders", 404),
        ("/api/v1/streams/orders;x=1", 404),
        ("/api/v1/streams/ORDERS", 404),
        ("/api/v1/nothing", 404),
        ("/api/v2/streams", 404),
        ("/api/", 404),
        ("/api/v1", 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_address_that_is_none_is_a_problem_and_never_a_page(web, key, path, status):
    assert_refused(exchange(web, head(key, method="GET", path=path)), status, sent=path)


@pytest.mark.parametrize("path", ["//api//v1/streams", "//api/v1/streams", "/../api/v1/streams", "/%2fapi/v1/streams"])
def test_an_address_beside_the_api_reaches_nothing_of_it(web, key, path):
    answer = exchange(web, head(key, method="GET", path=path))
    assert answer.status_code in (400, 404)
    assert b"orders" not in answer.content


@pytest.mark.parametrize("accept", ["text/html", "image/png", "application/xml", "*/*;q=0", "x" * 5000])
def test_nobody_gets_anything_but_json(web, key, accept):
    answer = exchange(web, head(key, f"Accept: {accept}", method="GET", path="/api/v1/streams"))
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    browsable = exchange(web, head(key, f"Accept: {accept}", method="GET", path="/api/v1/streams?format=api"))
    assert_refused(browsable, 422, "unknown_field")


def test_nobody_is_offered_another_protocol(web, key):
    upgrades = (
        ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"),
        ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAA"),
    )
    for lines in upgrades:
        assert exchange(web, head(key, *lines, method="GET", path="/api/v1/auth/me")).status_code == 200
    preface = exchange(web, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", half_close=True)
    assert preface.status_code in (0, 400)


def test_two_requests_at_once_on_one_connection_are_answered_in_turn(web, key):
    request = head(key, f"Content-Length: {len(EVENT)}") + EVENT
    with web.connect() as client:
        client.sendall(request + request)
        received = b""
        while received.count(b'"duplicate":false}') < 2:
            piece = client.recv(65536)
            assert piece, received
            received += piece
    first, second = (int(offset) for offset in re.findall(rb'"offset":(\d+)', received))
    assert second == first + 1


def test_after_all_that_the_server_is_well(web, key):
    assert exchange(web, head(key, f"Content-Length: {len(EVENT)}") + EVENT).status_code == 202
    for trouble in ("unexpected error", "internal_error", "do-not-tell", key):
        assert trouble not in web.log
