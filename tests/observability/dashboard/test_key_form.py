"""The form of a new key offers what is of use to whoever makes it, says what each scope allows, and refuses the rest."""

import pytest
from django.test import Client

from accounts.models import ApiKey, User
from accounts.roles import MEANING_OF_SCOPE, Role, Scope
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def browser_of(user: User) -> Client:
    browser = Client()
    browser.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return browser


@pytest.mark.parametrize(
    ("role", "offered"),
    [(Role.CONSUMER, {Scope.CONSUME}), (Role.PRODUCER, set(Scope) - {Scope.ADMIN}), (Role.ADMIN, set(Scope))],
)
def test_it_offers_the_scopes_of_the_role_and_says_what_they_are(role, offered):
    shown = browser_of(make_user(role)).get("/keys/new").content.decode().replace("&#x27;", "'")
    for scope in Scope:
        assert (f'value="{scope}"' in shown) == (scope in offered), scope
        assert (MEANING_OF_SCOPE[scope] in shown) == (scope in offered), scope


def test_what_is_of_no_use_is_refused_at_its_field():
    make_stream("salaries", visibility="restricted")
    make_stream("orders")
    browser = browser_of(make_user(Role.CONSUMER))
    for wrong, told in (
        ({"scopes": ["consume", "admin"]}, "no role that may use the scope admin"),
        ({"scopes": ["consume"], "streams": "salaries"}, "There is no stream salaries"),
    ):
        answer = browser.post("/keys/new", {"name": "n", "streams": "", "expires": "", **wrong})
        assert answer.status_code == 422
        _, _, after = answer.content.decode().partition("Only these streams" if "streams" in wrong else "<legend>May")
        assert told in after.split("field-error")[1], wrong
    assert not ApiKey.objects.exists()
    assert browser.post("/keys/new", {"name": "n", "scopes": ["consume"], "streams": "orders"}).status_code == 200
    assert ApiKey.objects.get().stream_names == ["orders"]
