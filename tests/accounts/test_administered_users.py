"""What is done with users and teams in the administration: the audit trail tells it as it was, and sessions end."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client

from accounts.models import AuditEntry, User
from accounts.roles import Role
from tests.client import ApiClient
from tests.factories import make_key, make_team, make_user
from tests.run.instance import wait_for
from tests.threads import Work, in_threads, waits_for_a_lock

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


def change_user(root: Client, user: User, **changes: Any) -> None:
    """Send the form of a user with these changes."""
    form = {"email": user.email, "name": user.name, "is_active": "on", "groups": list(_ids(*user.roles))} | changes
    answer = root.post(f"/admin/accounts/user/{user.pk}/change/", {k: v for k, v in form.items() if v is not None})
    assert answer.status_code == 302, answer.context["errors"]


def set_password(root: Client, user: User, **fields: str) -> None:
    form = {"password1": OTHER, "password2": OTHER, "usable_password": "true", "set-password": "Change"} | fields
    assert root.post(f"/admin/accounts/user/{user.pk}/password/", form).status_code == 302


def _ids(*roles: Role) -> list[int]:
    return list(Group.objects.filter(name__in=roles).values_list("pk", flat=True))


def last_entry() -> AuditEntry:
    return AuditEntry.objects.order_by("-pk")[0]


def told(entry: AuditEntry) -> dict[str, tuple[Any, Any]]:
    """What an entry says was changed: from what to what."""
    before, after = entry.before or {}, entry.after or {}
    return {name: (before[name], after[name]) for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"is_active": None}, {"is_active": (True, False)}),
        ({"name": "Ada L."}, {"name": ("Ada", "Ada L.")}),
        ({"email": "countess@example.com"}, {"email": ("ada@example.com", "countess@example.com")}),
    ],
)
def test_what_a_user_was_before_is_told(root, change, expected):
    ada = make_user(Role.PRODUCER, email="ada@example.com", name="Ada")
    change_user(root, ada, **change)
    entry = last_entry()
    assert (entry.action, entry.actor_email) == ("user.changed", "root@example.com")
    assert told(entry) == expected


def test_roles_before_and_after_are_told(root):
    ada = make_user(Role.PRODUCER, email="ada@example.com")
    change_user(root, ada, groups=_ids(Role.CONSUMER))
    assert told(last_entry()) == {"roles": (["producer"], ["consumer"])}


def test_what_a_team_was_for_is_told(root):
    ada = make_user(email="ada@example.com")
    team = make_team("orders-team", ada)
    form = {"description": "Takes orders", "members": [ada.pk]}
    assert root.post(f"/admin/accounts/team/{team.pk}/change/", form).status_code == 302
    entry = last_entry()
    assert (entry.action, entry.target) == ("team.changed", "orders-team")
    assert told(entry) == {"description": ("", "Takes orders")}


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


def test_a_password_that_is_changed_while_a_form_is_saved_stays_changed(root):
    ada = make_user(email="ada@example.com", password=PASSWORD)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=ada.pk)
        form = Work(lambda: change_user(root, ada, name="Ada L."))
        wait_for("the form to wait", waits_for_a_lock)
        ada.set_password(OTHER)
        ada.save(update_fields=["password"])
    form.result()
    stored = User.objects.get(pk=ada.pk)
    assert stored.name == "Ada L."
    assert stored.check_password(OTHER)


@pytest.mark.parametrize("of", ["user", "team"])
def test_a_right_that_ends_is_forgotten_when_it_has_ended(root, of):
    """Not before: who asks while the form is saved would have the old one remembered for the next second."""
    ada = make_user(Role.PRODUCER, email="ada@example.com")
    team, key = make_team("orders-team", ada), ApiClient(key=make_key(ada))
    before = key.get("/teams").json()["data"] if of == "team" else key.get("/auth/me").json()["api_key"]["scopes"]
    assert before
    with transaction.atomic(), connection.cursor() as cursor:
        # The last thing that the form writes, after all that it forgets.
        cursor.execute("LOCK TABLE django_admin_log IN SHARE MODE")
        if of == "user":
            form = Work(lambda: change_user(root, ada, groups=[]))
        else:
            form = Work(lambda: root.post(f"/admin/accounts/team/{team.pk}/change/", {"description": ""}))
        wait_for("the form to wait", waits_for_a_lock)
        assert in_threads([lambda: key.get("/auth/me").status_code]) == [200]
    form.result()
    after = key.get("/teams").json()["data"] if of == "team" else key.get("/auth/me").json()["api_key"]["scopes"]
    assert after == []
