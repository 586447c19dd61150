"""The busiest streams are listed by the number that stands beside them."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.roles import Role
from observability.models import StreamMinute
from tests.factories import make_stream, make_user

pytestmark = pytest.mark.usefixtures("db_with_commits")


def test_the_busiest_come_first_with_their_number():
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=30)
    for name, events in (("some", 20), ("most", 10_564), ("few", 3)):
        StreamMinute.objects.create(stream=make_stream(name), minute=minute, events=events, bytes=events)
    browser = Client()
    browser.force_login(make_user(Role.ADMIN), "django.contrib.auth.backends.ModelBackend")
    table = browser.get("/").content.decode().partition("Busiest streams")[2].partition("</table>")[0]
    shown = [table.index(part) for part in (">most<", "10.6k", ">some<", ">20<", ">few<", ">3<")]
    assert shown == sorted(shown)
