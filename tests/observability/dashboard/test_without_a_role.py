"""Whoever has no role yet is told whom to ask and for what, and is offered nothing that could not work."""

import html

import pytest
from django.test import Client

from accounts.models import User
from accounts.roles import MEANING_OF_ROLE, Role
from accounts.services.api_keys import create_api_key
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def shown_to(user: User, path: str) -> str:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return html.unescape(" ".join(browser.get(path).content.decode().split()))


@pytest.mark.parametrize("path", ["/", "/streams", "/keys", "/keys/new"])
def test_they_are_told_to_ask_an_admin_and_what_each_role_allows(path):
    shown = shown_to(make_user(), path)
    assert "Ask an admin" in shown
    assert all(meaning in shown for meaning in MEANING_OF_ROLE.values())
    assert "shares one with you" not in shown


@pytest.mark.parametrize("path", ["/", "/streams", "/keys", "/keys/new"])
def test_nobody_else_is(path):
    assert "Ask an admin" not in shown_to(make_user(Role.CONSUMER), path)


def test_they_are_offered_no_key():
    somebody = make_user()
    assert "Make a key" not in shown_to(somebody, "/keys")
    form = shown_to(somebody, "/keys/new")
    assert "<form method" not in form.partition("<main")[2]
    assert "A key of yours could do nothing" in form


def test_producers_are_those_whose_role_lets_them_produce():
    producer, reader = make_user(Role.PRODUCER), make_user(Role.CONSUMER)
    create_api_key(user=reader, name="reads", scopes=["consume"])
    former = make_user()
    make_stream("theirs", owner=former)
    shown = shown_to(make_user(Role.ADMIN), "/keys").partition("Producers</h2>")[2]
    assert producer.email in shown
    assert reader.email not in shown
    assert former.email not in shown
    assert "Producers</h2>" not in shown_to(reader, "/keys")
