"""What has expired goes, in bounded steps; what has not stays."""

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts.services.sign_in import delete_expired_tokens, issue_tokens, refresh_tokens
from tests.factories import make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_refresh_tokens_that_have_expired_are_forgotten_in_steps():
    user = make_user()
    for _ in range(3):
        refresh_tokens(refresh=issue_tokens(user, family="f").refresh)
    now = timezone.now()
    assert delete_expired_tokens(now=now) == 0
    old = OutstandingToken.objects.order_by("pk")[:4]
    OutstandingToken.objects.filter(pk__in=[token.pk for token in old]).update(expires_at=now - timedelta(seconds=1))
    assert [delete_expired_tokens(now=now, limit=3) for _ in range(3)] == [3, 1, 0]
    assert OutstandingToken.objects.count() == 2
    assert BlacklistedToken.objects.count() == 1
