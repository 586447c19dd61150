"""What has expired goes, in bounded steps; what has not stays."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import UserSession
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
