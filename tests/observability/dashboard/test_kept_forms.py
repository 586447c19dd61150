"""A form that cannot be accepted yet, sent without scripts: what was typed is kept, shown, and sent under a name that was read."""

import html
import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import Role
from observability.dashboard import kept_forms
from observability.dashboard.pages import sign_in as sign_in_page
from streams.models import Partition
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

PASSWORD = "correct horse battery staple"
OURS, ANOTHER = {"Origin": "http://testserver"}, {"Origin": "http://evil.example"}
TYPED = {
    "stream": "orders",
    "type": "typed",
    "key": 'a&b="c" +%20',
    "payload": '{"typed":\r\n "<b>\u00c7elik</b>"}',
    "headers": "",
    "idempotency_key": "the-key-of-this-form",
}


@pytest.fixture
def user() -> User:
    user = make_user(Role.PRODUCER, email="ada@example.com", password=PASSWORD)
    make_stream("orders", owner=user)
    return user


@pytest.fixture
def browser() -> Client:
    """One that checks CSRF tokens and has one, but nobody is signed in."""
    browser = Client(enforce_csrf_checks=True)
    browser.get("/sign-in")
    return browser


def post(browser: Client, address: str, fields: dict[str, Any], **headers: str) -> Any:
    fields = {"csrfmiddlewaretoken": browser.cookies["csrftoken"].value, **fields}
    return browser.post(address, fields, headers=headers)


def inputs(page: Any) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.content.decode())
    return {html.unescape(name): html.unescape(value) for name, value in found}


def sign_in(browser: Client, kept: str, email: str = "ada@example.com") -> Any:
    return post(browser, "/sign-in", {"email": email, "password": PASSWORD, "kept": kept})


def stored() -> int:
    return sum(Partition.objects.values_list("head_offset", flat=True))


def test_what_was_typed_when_the_session_had_ended_is_sent_after_signing_in(browser, user):
    asked = post(browser, "/send", TYPED)
    assert asked.status_code == 401
    assert "no-store" in asked["Cache-Control"]
    wrong = post(browser, "/sign-in", {"email": user.email, "password": "not this", "kept": inputs(asked)["kept"]})
    assert wrong.status_code == 401
    shown = sign_in(browser, inputs(wrong)["kept"])

    assert "Send it as ada@example.com" in shown.content.decode()
    assert '<form method="post" action="/send">' in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert "<b>" not in shown.content.decode()
    fields = inputs(shown)
    token = fields.pop("csrfmiddlewaretoken")
    assert fields == TYPED
    assert stored() == 0
    for _ in range(2):
        sent = browser.post("/send", {**fields, "csrfmiddlewaretoken": token})
        assert sent.status_code == 200
    assert stored() == 1


def test_fields_of_one_name_are_all_kept_in_their_order(browser, user):
    kept = inputs(post(browser, "/dead-letters/redrive?stream=orders", {"letter": ["3", "1", "2"]}))["kept"]
    page = sign_in(browser, kept).content.decode()
    assert re.findall(r'name="letter" value="(\d)"', page) == ["3", "1", "2"]
    assert 'action="/dead-letters/redrive?stream=orders"' in page


def test_a_button_without_fields_is_kept_too(browser, user):
    asked = post(browser, "/streams/orders/consumer-groups/billing/pause", {})
    assert "is kept" in asked.content.decode()
    assert list(inputs(sign_in(browser, inputs(asked)["kept"]))) == ["csrfmiddlewaretoken"]


@pytest.mark.parametrize(
    ("address", "fields"),
    [
        ("/account/password", {"current_password": "the old password", "new_password": "the new password"}),
        ("/send", {**TYPED, "payload": "x" * kept_forms.MOST_KEPT_BYTES}),
    ],
    ids=["a password", "too much"],
)
def test_what_cannot_be_kept_is_said_and_not_shown(browser, user, address, fields):
    asked = post(browser, address, fields)
    assert "could not be kept" in asked.content.decode()
    assert "kept" not in inputs(asked)
    assert not any(len(value) > 10 and value in asked.content.decode() for value in fields.values())


@pytest.mark.parametrize("kept", ["", "x", "W10:1:x", None])
def test_what_we_have_not_packed_or_long_ago_is_not_shown(browser, user, kept, monkeypatch):
    if kept is None:
        monkeypatch.setattr(sign_in_page, "KEPT_SECONDS", -1)
        kept = inputs(post(browser, "/send", TYPED))["kept"]
    assert sign_in(browser, kept)["Location"] == "/"


def outdated(browser: Client, address: str, **headers: str) -> Any:
    return browser.post(address, {**TYPED, "csrfmiddlewaretoken": "a" * 64}, headers=headers)


@pytest.mark.parametrize("origin", [OURS, {"Origin": "https://events.example"}], ids=["ours", "before a proxy"])
def test_a_token_from_before_another_sign_in_is_said_and_mended(browser, user, settings, origin):
    settings.CSRF_TRUSTED_ORIGINS = ["https://events.example"]
    sign_in(browser, "")
    refused = outdated(browser, "/send", **origin)
    assert refused.status_code == 403
    assert "Nothing was done" in refused.content.decode()
    assert "Send it as ada@example.com" in refused.content.decode()
    assert stored() == 0
    assert browser.post("/send", inputs(refused)).status_code == 200
    assert stored() == 1


@pytest.mark.parametrize("headers", [ANOTHER, {"Origin": "null"}, {}], ids=["another", "hidden", "none"])
@pytest.mark.parametrize("is_signed_in", [True, False])
def test_what_another_site_sends_is_never_offered_to_be_sent(browser, user, headers, is_signed_in):
    if is_signed_in:
        sign_in(browser, "")
    refused = outdated(browser, "/send", **headers)
    assert refused.status_code == 403
    assert not set(inputs(refused)) & {*TYPED, "kept"}
    assert "typed" not in refused.content.decode()


def test_without_a_session_and_a_token_the_sign_in_keeps_it_too(user):
    browser = Client(enforce_csrf_checks=True)
    asked = outdated(browser, "/send", **OURS)
    assert asked.status_code == 401
    assert inputs(sign_in(browser, inputs(asked)["kept"]))["payload"] == TYPED["payload"]


def test_a_sign_in_form_of_before_is_said_without_its_password(browser, user):
    refused = browser.post(
        "/sign-in", {"email": user.email, "password": PASSWORD, "csrfmiddlewaretoken": "a" * 64}, headers=OURS
    )
    assert refused.status_code == 403
    assert "open it anew" in refused.content.decode()
    assert PASSWORD not in refused.content.decode()


def test_a_script_is_told_what_is_outdated(browser, user):
    sign_in(browser, "")
    refused = outdated(browser, "/send", **OURS, **{"HX-Request": "true"})
    assert (refused.status_code, refused["EventFlow-Outdated"]) == (403, "token")
    told = browser.get("/sign-in", headers={"HX-Request": "true"})
    assert told.status_code == 204
    assert '"name": "ada@example.com"' in told["HX-Trigger"]


def test_a_page_of_another_user_is_told_so_and_nothing_is_done(browser, user):
    sign_in(browser, "")
    theirs = {"HX-Request": "true", "EventFlow-User": str(user.pk + 1)}
    refused = post(browser, "/send", TYPED, **theirs)
    assert (refused.status_code, refused["EventFlow-Outdated"]) == (409, "user")
    assert stored() == 0
