"""The outbox in the admin: what waits, what failed and why, and what may be done about it."""

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client
from django.utils import timezone
from eventflow_django import NewEvent, publish_many
from eventflow_django.models import OutboxBatch, OutboxEvent, ProcessedEvent

pytestmark = pytest.mark.django_db
EVENTS = "/admin/eventflow_django/outboxevent/"
BATCHES = "/admin/eventflow_django/outboxbatch/"
MARKS = "/admin/eventflow_django/processedevent/"


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("admin"))
    return client


@pytest.fixture
def rows() -> list[OutboxEvent]:
    """One that waits, one under way, one that failed."""
    with transaction.atomic():
        publish_many(NewEvent("orders", n, key="k", type=f"number.{n}") for n in range(3))
    waiting, under_way, failed = OutboxEvent.objects.order_by("id")
    batch = OutboxBatch.objects.create(stream="orders", last_error="nobody answers", next_attempt_at=timezone.now())
    OutboxEvent.objects.filter(pk=under_way.pk).update(batch=batch)
    OutboxEvent.objects.filter(pk=failed.pk).update(failed_at=timezone.now(), error="it is <b>bad</b>")
    return [waiting, under_way, failed]


@pytest.mark.parametrize(
    ("state", "shown"), [("waiting", "number.0"), ("under_way", "number.1"), ("failed", "number.2")]
)
def test_it_shows_what_is_in_which_state(admin, rows, state, shown):
    page = admin.get(EVENTS, {"state": state}).content.decode()
    assert [name for name in ("number.0", "number.1", "number.2") if name in page] == [shown]


def test_it_says_why(admin, rows):
    page = admin.get(EVENTS).content.decode()
    assert "nobody answers" in page
    assert "it is &lt;b&gt;bad&lt;/b&gt;" in page
    assert "nobody answers" in admin.get(BATCHES).content.decode()


def test_only_what_failed_is_sent_again_or_discarded(admin, rows):
    everything = [row.pk for row in rows]
    admin.post(EVENTS, {"action": "send_again", "_selected_action": everything})
    assert not OutboxEvent.objects.filter(failed_at__isnull=False).exists()
    admin.post(EVENTS, {"action": "discard", "_selected_action": everything})
    assert OutboxEvent.objects.count() == 3
    OutboxEvent.objects.filter(pk=rows[2].pk).update(failed_at=timezone.now())
    admin.post(EVENTS, {"action": "discard", "_selected_action": everything})
    assert list(OutboxEvent.objects.order_by("id")) == rows[:2]


def test_a_request_is_tried_now_when_somebody_says_so(admin, rows):
    batch = OutboxBatch.objects.get()
    admin.post(BATCHES, {"action": "now", "_selected_action": [batch.pk]})
    batch.refresh_from_db()
    assert batch.next_attempt_at is None


def test_nobody_writes_or_deletes_rows_by_hand(admin, rows):
    for place in (EVENTS, BATCHES):
        assert admin.get(f"{place}add/").status_code == 403
    row = rows[0]
    assert admin.get(f"{EVENTS}{row.pk}/change/").status_code == 200
    admin.post(f"{EVENTS}{row.pk}/change/", {"body": "changed"})
    assert admin.post(f"{EVENTS}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert row.body != "changed"


def test_a_mark_may_be_taken_away(admin):
    mark = ProcessedEvent.objects.create(stream="s", group="g", partition=0, offset=1, event_id="e")
    assert '<td class="field-event_id">e</td>' in admin.get(MARKS).content.decode()
    admin.post(f"{MARKS}{mark.pk}/delete/", {"post": "yes"})
    assert not ProcessedEvent.objects.exists()
