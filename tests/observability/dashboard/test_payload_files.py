"""A payload as a file: what was sent, under a name that nobody chose, and no file where there is no payload."""

import json
import re
import shlex
from html import unescape

import pytest
from django.test import Client

from accounts.roles import Role
from consumers.models import DeadLetter
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")
# Numbers, order, escapes and spaces stay as they were sent.
SENT = '{"b": 12345678901234567890, "a": "\\u00e9\u202e\u20ac", "a2":1.0}'
EVENT = "/streams/orders/events/0/1"


@pytest.fixture
def owner():
    owner = make_owner()
    make_group(make_stream("orders", owner=owner, visibility="restricted"), "billing")
    body = '{"stream": "orders", "key": "\\u0022;evil.exe", "type": "a/b", "payload": ' + SENT + "}"
    api = ApiClient(key=make_key(owner))
    assert api.post("/events", body.encode()).status_code == 202
    assert api.post("/streams/orders/consumer-groups/billing/dead-letters", {"offset": 1}).status_code == 201
    return owner


def browser(user):
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    return client


def letter():
    return f"/dead-letters/{DeadLetter.objects.get().pk}"


def test_it_is_what_was_sent_under_a_name_of_ours(owner):
    client = browser(owner)
    for page, name in ((EVENT, "orders-0-1.json"), (letter(), f"dead-letter-{DeadLetter.objects.get().pk}.json")):
        assert f'href="{page}/payload"' in client.get(page).content.decode()
        answer = client.get(f"{page}/payload")
        assert answer.content.decode() == SENT
        assert answer["Content-Type"] == "application/json; charset=utf-8"
        assert answer["Content-Disposition"] == f'attachment; filename="{name}"'
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize(("length", "way"), [(10, "-d '"), (131_072, "--data-binary @- <<'EVENT'\n")])
def test_the_command_that_sends_it_again_is_one_that_a_shell_can_start(owner, length, way):
    text = "it's " + "x" * length
    sent = ApiClient(key=make_key(owner)).post("/streams/orders/events", {"type": "a/b", "payload": text})
    page = browser(owner).get(f"/streams/orders/events/0/{sent.json()['offset']}").content.decode()
    command = unescape(re.findall(r'<pre id="curl-again">(.*?)</pre>', page, re.DOTALL)[0])

    assert way in command
    # No argument of 128 KiB or more can be given to a program.
    words = shlex.split(command.partition("<<'EVENT'")[0])
    assert max(map(len, words)) < 128 * 1024
    body = command.split("\n")[-2] if "<<'EVENT'" in command else words[-1]
    assert json.loads(body) == {"type": "a/b", "payload": text}


def test_what_was_erased_is_no_file_and_says_so(owner):
    client = browser(owner)
    client.post(f"{EVENT}/erase", {"reason": "asked for", "confirm": "1"})
    for page in (EVENT, letter()):
        assert f'href="{page}/payload"' not in client.get(page).content.decode()
        answer = client.get(f"{page}/payload")
        assert answer.status_code == 409
        assert "The payload was erased at" in answer.content.decode()
        assert "Content-Disposition" not in answer


def test_what_retention_took_is_no_file_and_says_so(owner):
    DeadLetter.objects.update(event=None)
    page = letter()
    assert f'href="{page}/payload"' not in browser(owner).get(page).content.decode()
    answer = browser(owner).get(f"{page}/payload")
    assert answer.status_code == 410
    assert "Retention took this event" in answer.content.decode()
    assert browser(owner).get("/streams/orders/events/0/2/payload").status_code == 404


def test_who_may_not_read_gets_no_file(owner):
    stranger = browser(make_user(Role.CONSUMER))
    assert stranger.get(f"{EVENT}/payload").status_code == 404
    assert stranger.get(f"{letter()}/payload").status_code == 404
