"""Whoever refreshes, reuses and signs out at the same moment: a session that has to end ends, an honest one goes on."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import UserSession
from accounts.roles import Role
from tests.client import ApiClient
from tests.factories import make_tokens, make_user
from tests.threads import at_once

pytestmark = [pytest.mark.usefixtures("db_with_commits"), pytest.mark.slow("races again and again")]

ROUNDS = 40


def refresh(token: str) -> Any:
    return ApiClient().post("/auth/refresh", {"refresh": token})


def sign_out(token: str) -> Any:
    return ApiClient().post("/auth/logout", {"refresh": token})


def test_reuse_cannot_be_outrun_by_refreshing_the_newest_token():
    user = make_user(Role.PRODUCER)
    alive = []
    for _ in range(ROUNDS):
        stolen = make_tokens(user).refresh
        newest = refresh(refresh(stolen).json()["refresh"]).json()["refresh"]

        def go_on(token: str = newest) -> list[str]:
            """Refresh as fast as possible, as whoever has the newest token would."""
            tokens = [token]
            while len(tokens) < 6 and (answer := refresh(tokens[-1])).status_code == 200:
                tokens.append(answer.json()["refresh"])
            return tokens

        tokens, _ = at_once(go_on, lambda token=stolen: refresh(token))
        alive += [token for token in tokens[-1:] if refresh(token).status_code == 200]
    assert alive == []
    assert not UserSession.objects.filter(ended_at__isnull=True).exists()


def test_signing_out_cannot_be_outrun_either():
    user = make_user(Role.PRODUCER)
    for _ in range(ROUNDS):
        token = make_tokens(user).refresh
        renewed, ended = at_once(lambda token=token: refresh(token), lambda token=token: sign_out(token))
        assert ended.status_code == 204
        assert renewed.status_code in (200, 401)
        if renewed.status_code == 200:
            assert refresh(renewed.json()["refresh"]).status_code == 401
            assert ApiClient(token=renewed.json()["access"]).get("/auth/me").status_code == 401


def test_honest_tabs_that_refresh_in_the_same_moment_all_go_on():
    user = make_user(Role.PRODUCER)
    token = make_tokens(user).refresh
    for _ in range(10):
        answers = at_once(*[lambda token=token: refresh(token)] * 4)
        assert {answer.status_code for answer in answers} == {200}
        (pair,) = {(answer.json()["access"], answer.json()["refresh"]) for answer in answers}
        assert ApiClient(token=pair[0]).get("/auth/me").status_code == 200
        token = pair[1]
    assert UserSession.objects.get().generation == 10


def test_a_late_reuse_in_the_middle_of_an_honest_race_ends_all_of_it():
    user = make_user(Role.PRODUCER)
    for _ in range(10):
        token = make_tokens(user).refresh
        pair = refresh(token).json()
        session = UserSession.objects.get(ended_at__isnull=True)
        UserSession.objects.filter(pk=session.pk).update(renewed_at=session.renewed_at - timedelta(seconds=11))
        at_once(*[lambda each=each: refresh(each) for each in (pair["refresh"], pair["refresh"], token)])
        assert not UserSession.objects.filter(ended_at__isnull=True).exists()
        assert ApiClient(token=pair["access"]).get("/auth/me").status_code == 401


def test_everything_at_once_waits_for_nobody_for_ever():
    """Refreshes, a reuse, a sign-out, ends of all sessions: one order of locks, so no deadlock and no 5xx."""
    user = make_user(Role.PRODUCER, password="a long enough password")
    for _ in range(10):
        pairs = [make_tokens(user) for _ in range(3)]
        calls = [lambda pair=pair: refresh(pair.refresh) for pair in pairs]
        calls += [lambda pair=pair: sign_out(pair.refresh) for pair in pairs]
        calls += [lambda pair=pair: ApiClient(token=pair.access).delete("/auth/sessions") for pair in pairs]
        assert {answer.status_code for answer in at_once(*calls)} <= {200, 204, 401}


def test_refresh_reuse_and_sign_out_lock_the_row():
    token = make_tokens(make_user(Role.PRODUCER)).refresh
    for call in (refresh, sign_out):
        with CaptureQueriesContext(connection) as captured:
            call(token)
        assert any("FOR UPDATE" in query["sql"] for query in captured)
