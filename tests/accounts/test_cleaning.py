"""What has expired goes, in bounded steps; what has not stays."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone

from accounts import tasks
from accounts.conf import EXPIRED_STEP_ROWS
from accounts.models import IdempotencyRecord, UserSession
from accounts.services.sessions import delete_expired_sessions
from tests.factories import make_tokens, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_sessions_that_have_expired_are_forgotten_in_steps():
    user = make_user()
    for _ in range(6):
        make_tokens(user)
    now = timezone.now()
    assert delete_expired_sessions(now=now) == 0
    old = [session.pk for session in UserSession.objects.all()[:4]]
    UserSession.objects.filter(pk__in=old).update(expires_at=now - timedelta(seconds=1))
    assert [delete_expired_sessions(now=now, limit=3) for _ in range(3)] == [3, 1, 0]
    assert UserSession.objects.count() == 2
    assert not UserSession.objects.filter(pk__in=old).exists()


def test_what_a_browser_had_goes_when_its_time_is_up():
    now = timezone.now()
    for name, seconds in (("passed", -1), ("good", 60)):
        Session.objects.create(session_key=name, session_data="", expire_date=now + timedelta(seconds=seconds))

    tasks.delete_expired_sessions()
    assert list(Session.objects.values_list("pk", flat=True)) == ["good"]


def test_one_tick_forgets_all_idempotency_keys_that_have_expired_since_the_last_however_many_appends_there_were(
    monkeypatch,
):
    # It takes its time on a busy machine, and is not what ends it here.
    monkeypatch.setattr(tasks, "EXPIRED_TICK_SECONDS", 600.0)
    # In the minute between two ticks a thousand appends a second leave more than this.
    many = 3 * EXPIRED_STEP_ROWS + 1
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO accounts_idempotencyrecord (caller, key, request_hash, status, content_type, created_at, expires_at)"
            " SELECT 'key:x', number, '', 202, 'application/json', now() - interval '25 hours',"
            "        now() + CASE WHEN number <= %s THEN interval '-1 hour' ELSE interval '1 hour' END"
            "   FROM generate_series(1, %s) AS number",
            [many, many + 2],
        )

    assert tasks.delete_expired_idempotency_keys() == many
    assert IdempotencyRecord.objects.count() == 2
