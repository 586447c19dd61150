"""An outbox that is not in the default database: everything looks where it is."""

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from eventflow_django import NewEvent, outbox_standing, publish_many
from eventflow_django.models import OutboxEvent
from eventflow_django.relaying import relay_what_waits
from running import stored

pytestmark = pytest.mark.django_db(databases=["default", "elsewhere"])
EVENTS = "/admin/eventflow_django/outboxevent/"
# This file has its process for itself, whose databases are made after it was read.
connections.settings |= connections.configure_settings(
    {"default": {}, "elsewhere": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
) | {"default": connections.settings["default"]}


@pytest.fixture(autouse=True)
def _outbox_elsewhere(settings):
    settings.EVENTFLOW = {"DATABASE": "elsewhere"}


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


def publish_all(*events: NewEvent) -> None:
    with transaction.atomic(using="elsewhere"):
        publish_many(events)


def test_it_is_relayed(client, stream):
    publish_all(NewEvent(stream, 1))
    assert relay_what_waits(client) == 1
    assert [event["payload"] for event in stored(client, stream)] == [1]


def test_the_admin_shows_it_and_acts_on_it(admin):
    publish_all(*(NewEvent("orders", n, type=f"number.{n}") for n in range(2)))
    first, second = OutboxEvent.objects.using("elsewhere").order_by("id")
    OutboxEvent.objects.using("elsewhere").update(failed_at=timezone.now(), error="refused")
    page = admin.get(EVENTS).content.decode()
    assert "number.0" in page and "number.1" in page
    assert "number.0" in admin.get(f"{EVENTS}{first.pk}/change/").content.decode()
    admin.post(EVENTS, {"action": "send_again", "_selected_action": [first.pk]})
    admin.post(EVENTS, {"action": "discard", "_selected_action": [second.pk]})
    assert [row.failed_at for row in OutboxEvent.objects.using("elsewhere")] == [None]
    assert outbox_standing().failed == 0
