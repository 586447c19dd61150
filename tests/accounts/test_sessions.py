"""People see where they are signed in, end what they do not know, and change their password."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from accounts.models import User, UserSession
from accounts.roles import Role
from accounts.services.sessions import delete_expired_sessions
from tests.client import ApiClient
from tests.factories import make_key, make_user
from tests.run.instance import wait_for
from tests.site.hostile import assert_refused
from tests.threads import Work, waits_for_a_lock

pytestmark = pytest.mark.usefixtures("db_with_commits")

PASSWORD = "a long enough password"
OTHER = "another long password"


@pytest.fixture
def user():
    return make_user(Role.PRODUCER, email="ada@example.com", password=PASSWORD)


def login(password: str = PASSWORD, email: str = "ada@example.com", **extra: Any) -> Any:
    body = {"email": email, "password": password}
    return Client().post("/api/v1/auth/login", body, content_type="application/json", **extra)


def signed_in(**extra: Any) -> ApiClient:
    return ApiClient(token=login(**extra).json()["access"])


def browser(password: str = PASSWORD, **extra: Any) -> Client:
    client = Client(**extra)
    assert client.post("/sign-in", {"email": "ada@example.com", "password": password}).status_code == 302
    return client


def is_in(client: Client) -> bool:
    return client.get("/keys").status_code == 200


def listed(client: ApiClient) -> list[dict[str, Any]]:
    answer = client.get("/auth/sessions")
    assert answer.status_code == 200
    return answer.json()["data"]


def test_each_sign_in_is_listed_with_when_from_where_and_with_what(user):
    phone = signed_in(REMOTE_ADDR="192.0.2.7", headers={"User-Agent": "Phone\x1b[2J/1"})
    browser(REMOTE_ADDR="198.51.100.4", headers={"User-Agent": "Firefox"})
    make_user(email="bob@example.com", password=PASSWORD)
    login(email="bob@example.com")

    sessions = {each["kind"]: each for each in listed(phone)}

    assert len(sessions) == 2
    assert (
        sessions["tokens"] | {"current": True, "address": "192.0.2.7", "user_agent": "Phone?[2J/1"}
        == sessions["tokens"]
    )
    assert (
        sessions["browser"] | {"current": False, "address": "198.51.100.4", "user_agent": "Firefox"}
        == sessions["browser"]
    )
    for each in sessions.values():
        assert each["created_at"] <= each["last_seen_at"] < each["expires_at"]
        assert "browser_key" not in each


def test_one_session_is_ended_and_nothing_else(user):
    mine, other, page = signed_in(), signed_in(), browser()
    for kind, is_current in (("tokens", False), ("browser", False)):
        (wanted,) = [each for each in listed(mine) if (each["kind"], each["current"]) == (kind, is_current)]
        assert mine.delete(f"/auth/sessions/{wanted['id']}").status_code == 204
        assert_refused(mine.delete(f"/auth/sessions/{wanted['id']}"), 404, "session_not_found")
    assert_refused(other.get("/auth/me"), 401, "invalid_credentials")
    assert not is_in(page)
    assert [each["current"] for each in listed(mine)] == [True]
    assert mine.delete(f"/auth/sessions/{listed(mine)[0]['id']}").status_code == 204
    assert_refused(mine.get("/auth/me"), 401, "invalid_credentials")


def test_a_session_of_somebody_else_is_missing(user):
    mine = signed_in()
    make_user(email="bob@example.com", password=PASSWORD)
    bobs = ApiClient(token=login(email="bob@example.com").json()["access"])
    (foreign,) = listed(mine)
    missing = bobs.delete("/auth/sessions/0000000000000000")
    answer = bobs.delete(f"/auth/sessions/{foreign['id']}")
    assert_refused(answer, 404, "session_not_found")
    assert answer.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert mine.get("/auth/me").status_code == 200
    for odd in ("%00", "x" * 500, "é", "1 OR 1=1"):
        assert bobs.delete(f"/auth/sessions/{odd}").status_code in (400, 404)


def test_all_others_end_at_once(user):
    mine, others, page = signed_in(), [signed_in(), signed_in()], browser()
    assert mine.delete("/auth/sessions").json() == {"ended": 3}
    assert [other.get("/auth/me").status_code for other in others] == [401, 401]
    assert not is_in(page)
    assert mine.get("/auth/me").status_code == 200
    assert mine.delete("/auth/sessions").json() == {"ended": 0}


def test_a_browser_that_signed_out_or_is_gone_is_not_listed(user):
    mine, page, gone = signed_in(), browser(), browser()
    page.post("/sign-out")
    gone.session.delete()
    assert [each["kind"] for each in listed(mine)] == ["tokens"]


def test_a_browser_that_signs_in_again_is_still_one(user):
    mine, page = signed_in(), browser()
    assert page.post("/sign-in", {"email": "ada@example.com", "password": PASSWORD}).status_code == 302
    assert sorted(each["kind"] for each in listed(mine)) == ["browser", "tokens"]
    make_user(email="bob@example.com", password=PASSWORD)
    assert page.post("/sign-in", {"email": "bob@example.com", "password": PASSWORD}).status_code == 302
    assert [each["kind"] for each in listed(mine)] == ["tokens"]


def test_a_browser_is_seen_where_it_is_and_no_more_than_once_a_minute(user):
    mine, page = signed_in(), browser(REMOTE_ADDR="198.51.100.4")
    UserSession.objects.filter(kind="browser").update(last_seen_at=timezone.now() - timedelta(seconds=30))
    page.get("/keys", REMOTE_ADDR="203.0.113.5")
    (session,) = [each for each in listed(mine) if each["kind"] == "browser"]
    assert session["address"] == "198.51.100.4"
    again = browser(REMOTE_ADDR="198.51.100.4")
    UserSession.objects.filter(kind="browser").update(last_seen_at=timezone.now() - timedelta(seconds=61))
    again.get("/keys", REMOTE_ADDR="203.0.113.6")
    assert "203.0.113.6" in [each["address"] for each in listed(mine)]


def test_keys_neither_list_nor_end_sessions_nor_change_a_password(user):
    key = ApiClient(key=make_key(user))
    body = {"current_password": PASSWORD, "new_password": OTHER}
    for answer in (
        key.get("/auth/sessions"),
        key.delete("/auth/sessions"),
        key.delete(f"/auth/sessions/{'0' * 16}"),
        key.post("/auth/password", body),
    ):
        assert_refused(answer, 403, "scope_missing")


def test_another_password_ends_the_other_sessions_and_this_one_goes_on(user):
    first, page, key = login().json(), browser(), ApiClient(key=make_key(user))
    other = signed_in()
    mine = ApiClient(token=first["access"])

    answer = mine.post("/auth/password", {"current_password": PASSWORD, "new_password": OTHER})

    assert answer.status_code == 200
    pair = answer.json()
    assert_refused(other.get("/auth/me"), 401, "invalid_credentials")
    assert not is_in(page)
    renewed = ApiClient(token=pair["access"])
    assert [each["current"] for each in listed(renewed)] == [True]
    assert ApiClient().post("/auth/refresh", {"refresh": pair["refresh"]}).status_code == 200
    # Tokens carry the stamp of the password that they were made with.
    assert_refused(mine.get("/auth/me"), 401, "invalid_credentials")
    assert_refused(ApiClient().post("/auth/refresh", {"refresh": first["refresh"]}), 401, "invalid_credentials")
    # Programs are not people: keys are revoked one by one.
    assert key.get("/auth/me").status_code == 200
    assert (login().status_code, login(OTHER).status_code) == (401, 200)


@pytest.mark.parametrize("new", ["short", "password1234", "ada@example.com", "x" * 257])
def test_a_password_that_will_not_do_changes_nothing(user, new):
    mine, other = signed_in(), signed_in()
    answer = mine.post("/auth/password", {"current_password": PASSWORD, "new_password": new})
    assert_refused(answer, 422, "weak_password")
    assert other.get("/auth/me").status_code == 200
    assert login().status_code == 200


def test_the_current_password_is_asked_for_and_guessing_it_is_limited(user):
    mine = signed_in()
    body = {"current_password": "guess", "new_password": OTHER}
    answers = [mine.post("/auth/password", body) for _ in range(12)]
    assert [answer.status_code for answer in answers] == [422] * 10 + [429] * 2
    assert_refused(answers[0], 422, "wrong_password")
    assert_refused(answers[-1], 429, "login_throttled")
    assert mine.get("/auth/me").status_code == 200
    assert_refused(mine.post("/auth/password", {"current_password": PASSWORD}), 422, "invalid_request")


def test_tokens_count_at_a_server_whose_clock_is_behind_as_well(user, monkeypatch):
    now = timezone.now
    with monkeypatch.context() as ahead:
        ahead.setattr(timezone, "now", lambda: now() + timedelta(seconds=5))
        pair = login().json()
    assert ApiClient(token=pair["access"]).get("/auth/me").status_code == 200
    assert ApiClient().post("/auth/refresh", {"refresh": pair["refresh"]}).status_code == 200


def test_a_password_that_an_admin_changes_ends_all_sessions(user):
    mine = signed_in()
    root = Client()
    root.force_login(make_user(Role.ADMIN), backend="django.contrib.auth.backends.ModelBackend")
    fields = {"password1": OTHER, "password2": OTHER, "usable_password": "true"}
    assert root.post(f"/admin/accounts/user/{user.pk}/password/", fields).status_code == 302
    assert_refused(mine.get("/auth/me"), 401, "invalid_credentials")
    assert len(listed(signed_in(password=OTHER))) == 1


@pytest.mark.parametrize("door", ["api", "page"])
def test_a_password_that_is_set_anew_meanwhile_is_not_overwritten(user, door):
    """By whoever knew the old one: that may be why it was set anew."""
    page, fields = browser(), {"current_password": PASSWORD, "new_password": "what the thief likes"}
    form = fields | {"repeated": fields["new_password"]}
    changes = {
        "api": partial(signed_in().post, "/auth/password", fields),
        "page": partial(page.post, "/account/password", form),
    }
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        thief = Work(changes[door])
        wait_for("the change to wait", waits_for_a_lock)
        user.set_password(OTHER)
        user.save(update_fields=["password"])
    assert thief.result().status_code == 422
    assert login(OTHER).status_code == 200
    assert not is_in(page)


class TestThePage:
    def test_it_lists_and_ends_sessions(self, user):
        page, other, phone = browser(), browser(), signed_in(headers={"User-Agent": "<b>phone</b>"})
        text = page.get("/account").content.decode()
        assert "&lt;b&gt;phone&lt;/b&gt;" in text
        assert "This browser" in text
        session = UserSession.objects.get(kind="tokens")
        assert page.post(f"/account/sessions/{session.pk}/end").status_code == 302
        assert phone.get("/auth/me").status_code == 401
        assert page.post("/account/sessions/end").status_code == 302
        assert (is_in(page), is_in(other)) == (True, False)

    def test_it_changes_the_password_and_stays_signed_in(self, user):
        page, other, phone = browser(), browser(), signed_in()
        fields = {"current_password": PASSWORD, "new_password": OTHER, "repeated": OTHER}
        assert page.post("/account/password", fields).status_code == 302
        assert (is_in(page), is_in(other)) == (True, False)
        assert phone.get("/auth/me").status_code == 401
        # It is still known as the same session, under its new key.
        assert "This browser" in page.get("/account").content.decode()
        assert page.post("/account/sessions/end").status_code == 302
        assert is_in(page)
        assert (login().status_code, login(OTHER).status_code) == (401, 200)

    def test_a_browser_that_stays_longer_with_another_password_can_be_ended_for_as_long(self, user):
        page = browser()
        UserSession.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
        fields = {"current_password": PASSWORD, "new_password": OTHER, "repeated": OTHER}
        assert page.post("/account/password", fields).status_code == 302
        delete_expired_sessions(now=timezone.now() + timedelta(minutes=2))
        assert is_in(page)
        elsewhere = signed_in(password=OTHER)
        assert elsewhere.delete("/auth/sessions").json() == {"ended": 1}
        assert not is_in(page)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"current_password": "guess"}, "not your current password"),
            ({"new_password": "short", "repeated": "short"}, "too short"),
            ({"repeated": "something else entirely"}, "not the same"),
        ],
    )
    def test_it_says_what_is_wrong(self, user, change, said):
        page, other = browser(), browser()
        fields = {"current_password": PASSWORD, "new_password": OTHER, "repeated": OTHER} | change
        answer = page.post("/account/password", fields)
        assert answer.status_code == 422
        assert said in answer.content.decode()
        assert OTHER not in answer.content.decode()
        assert (is_in(page), is_in(other)) == (True, True)

    def test_the_admins_own_page_for_that_leads_here(self, user):
        root = Client()
        root.force_login(make_user(Role.ADMIN), backend="django.contrib.auth.backends.ModelBackend")
        assert root.get("/admin/password_change/")["Location"] == "/account"
        answer = root.post("/admin/password_change/", {"old_password": "guess"})
        assert answer["Location"] == "/account"
