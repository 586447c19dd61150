"""Forms that come in pieces, or in no good form, from somebody without a session, to every page of dashboard and admin."""

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.observability.dashboard.test_access import addresses
from tests.web_server import RawAnswer, WebServer, exchange

pytestmark = [pytest.mark.processes, pytest.mark.exhaustive, pytest.mark.usefixtures("db_with_commits_for_all")]

BOUNDARY = "abcdef"
PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
FIELD, FILE = PART % ("email", "", "a@example.com"), PART % ("upload", '; filename="f.txt"', "text")
END = f"--{BOUNDARY}--\r\n"
URLENCODED, MULTIPART = "application/x-www-form-urlencoded", f"multipart/form-data; boundary={BOUNDARY}"
# A name, the type of the body, and its text.
FORMS = {
    "fields": (URLENCODED, "email=a%40example.com&password=guess&idempotency_key=1"),
    "fields of no text": (URLENCODED, "email=%ff%00&%ed%a0%80=%C2%B2&csrfmiddlewaretoken=%00"),
    "fields of another script": (f"{URLENCODED}; charset=none", "email=a"),
    "more fields than a form has": (URLENCODED, "&".join(f"f{n}=1" for n in range(2_000))),
    "nothing": (URLENCODED, ""),
    "parts": (MULTIPART, FIELD + FILE + END),
    "parts without an end": (MULTIPART, FIELD + FILE),
    "parts that are cut": (MULTIPART, FIELD[:30]),
    "parts without a boundary": ("multipart/form-data", FIELD + END),
    "parts with no boundary's name": ("multipart/form-data; boundary=", FIELD + END),
    "parts of an unknown encoding": (MULTIPART, FIELD.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n") + END),
    "nothing in parts": (MULTIPART, ""),
}  # fmt: skip


def admin_addresses() -> list[str]:
    names = [f"admin:{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    fixed = [reverse(f"admin:{name}") for name in ("index", "login", "logout", "password_change", "jsi18n")]
    lists = [reverse(f"{name}_{page}") for name in names for page in ("changelist", "add")]
    return [*fixed, *lists, *(reverse(f"{name}_change", args=["1"]) for name in names)]


ADDRESSES = [*addresses(), *admin_addresses()]
# Anybody can make up a cookie and repeat it.
PAST_CSRF = (f"Cookie: csrftoken={'a' * 32}", f"X-CSRFToken: {'a' * 32}")


@pytest.fixture(scope="module")
def web():
    with WebServer(EVENTFLOW_ADMIN_PASSWORD="do-not-tell") as server:
        yield server


def send(web: WebServer, address: str, content_type: str, body: bytes, *lines: str, ends: bool = True) -> RawAnswer:
    """Send a body in two pieces, or whole if a line says how long it is; unless it ends, it is cut off."""
    head = [f"POST {address} HTTP/1.1", "Host: localhost", f"Content-Type: {content_type}", *lines]
    if not any(line.startswith("Content-Length") for line in lines):
        head.append("Transfer-Encoding: chunked")
        halves = [body[: len(body) // 2], body[len(body) // 2 :]]
        body = b"".join(b"%x\r\n%b\r\n" % (len(half), half) for half in halves if half) + b"0\r\n\r\n" * ends
    return exchange(web, "\r\n".join([*head, "", ""]).encode() + body, half_close=not ends)


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_form_in_pieces_is_refused_by_every_page(web, address, ends):
    """The server would take half of it for the whole; so far nobody has looked who asks."""
    answers = {name: send(web, address, kind, text.encode(), ends=ends) for name, (kind, text) in FORMS.items()}
    # What a page follows is answered before Django, as the API is: it takes no form at all.
    refusal = 405 if address.endswith("/tail/live") else 411
    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(FORMS, refusal)


@pytest.mark.parametrize("lines", [(), PAST_CSRF], ids=["without a token", "with a token"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_what_is_read_of_somebody_without_a_session_breaks_no_page(web, address, lines):
    asked = {name: (kind, text.encode(), f"Content-Length: {len(text)}") for name, (kind, text) in FORMS.items()}
    asked |= {"JSON in pieces": ("application/json", b'{"email":"a"}'), "no JSON in pieces": ("application/json", b"{")}
    statuses = {name: send(web, address, *each, *lines).status_code for name, each in asked.items()}
    assert {name: status for name, status in statuses.items() if not 200 <= status < 500} == {}


def test_a_form_that_is_whole_reaches_the_sign_in(web):
    """Else the test before this one would tell nothing."""
    kind, text = FORMS["fields"]
    answer = send(web, "/sign-in", kind, text.encode(), f"Content-Length: {len(text)}", *PAST_CSRF)
    assert answer.status_code in (401, 429)
    assert send(web, "/sign-in", kind, text.encode(), f"Content-Length: {len(text)}").status_code == 403


def test_more_in_pieces_than_a_page_reads_is_refused(web):
    for address in ("/sign-in", "/send", "/admin/login/"):
        for kind in (URLENCODED, MULTIPART, "application/json"):
            assert 400 <= send(web, address, kind, b"f=" + b"x" * 3_000_000).status_code < 500
