"""What is done with users and teams in the administration: the audit trail tells it as it was, and sessions end."""

import pytest
from django.test import Client

from accounts.models import AuditEntry, User
from accounts.roles import Role
from tests.client import ApiClient
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")

PASSWORD = "a long enough password"
OTHER = "another long password"


@pytest.fixture
def root() -> Client:
    """An admin's browser, signed in as people sign in."""
    make_user(Role.ADMIN, email="root@example.com", password=PASSWORD)
    return browser("root@example.com")


def browser(email: str, password: str = PASSWORD) -> Client:
    client = Client()
    assert client.post("/sign-in", {"email": email, "password": password}).status_code == 302
    return client


def tokens(email: str, password: str = PASSWORD) -> ApiClient:
    answer = ApiClient().post("/auth/login", {"email": email, "password": password})
    return ApiClient(token=answer.json()["access"])


def is_in(client: Client) -> bool:
    return client.get("/keys").status_code == 200


def set_password(root: Client, user: User, **fields: str) -> None:
    form = {"password1": OTHER, "password2": OTHER, "usable_password": "true", "set-password": "Change"} | fields
    assert root.post(f"/admin/accounts/user/{user.pk}/password/", form).status_code == 302


def last_entry() -> AuditEntry:
    return AuditEntry.objects.order_by("-pk")[0]


def test_a_password_that_an_admin_sets_is_told(root):
    ada = make_user(email="ada@example.com", password=PASSWORD)
    set_password(root, ada)
    entry = last_entry()
    assert (entry.action, entry.target, entry.actor_email) == (
        "user.password_changed",
        "ada@example.com",
        "root@example.com",
    )


def test_a_form_of_a_password_that_is_refused_changes_nothing(root):
    ada = make_user(email="ada@example.com", password=PASSWORD)
    hers = browser(ada.email)
    count = AuditEntry.objects.count()
    # As sent without scripts: to disable the password, by the button that sets one.
    set_password(root, ada, usable_password="false", password1="", password2="")
    assert is_in(hers)
    assert AuditEntry.objects.count() == count


def test_who_sets_somebodys_password_still_sees_and_ends_their_own_session(root):
    set_password(root, make_user(email="ada@example.com", password=PASSWORD))
    elsewhere = tokens("root@example.com")
    assert is_in(root)
    assert sorted(each["kind"] for each in elsewhere.get("/auth/sessions").json()["data"]) == ["browser", "tokens"]
    assert elsewhere.delete("/auth/sessions").json() == {"ended": 1}
    assert not is_in(root)


def test_who_sets_their_own_password_there_ends_all_but_this_browser(root):
    other = browser("root@example.com")
    set_password(root, User.objects.get(email="root@example.com"))
    assert (is_in(root), is_in(other)) == (True, False)
    elsewhere = tokens("root@example.com", OTHER)
    assert elsewhere.delete("/auth/sessions").json() == {"ended": 1}
    assert not is_in(root)
