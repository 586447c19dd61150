"""How the outbox stands, for whoever watches it."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from eventflow_client import EventFlow, Retries
from eventflow_django import NewEvent, OutboxStanding, outbox_standing, publish_many
from eventflow_django.models import OutboxEvent
from eventflow_django.relay import relay_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_outbox_that_is_empty_waits_for_nothing():
    assert outbox_standing() == OutboxStanding(unsent=0, failed=0, oldest_seconds=0.0, errors={})


def test_it_says_how_long_the_first_has_waited_and_why_but_not_of_those_that_nobody_tries():
    with transaction.atomic():
        publish_many(NewEvent("orders", n) for n in range(3))
    first, second, _ = OutboxEvent.objects.order_by("id")
    OutboxEvent.objects.filter(pk=first.pk).update(
        failed_at=timezone.now(), published_at=timezone.now() - timedelta(days=9)
    )
    OutboxEvent.objects.filter(pk=second.pk).update(published_at=timezone.now() - timedelta(minutes=5))
    with EventFlow("http://127.0.0.1:9", key="evf_nobody", retries=Retries(total_seconds=0)) as nobody:
        relay_once(nobody)
    standing = outbox_standing()
    assert (standing.unsent, standing.failed) == (3, 1)
    assert 300 <= standing.oldest_seconds < 86_400
    assert "no answer" in standing.errors["orders"]
