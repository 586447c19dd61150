"""What waits to be sent, and what was handled: rows of the application's own database."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OutboxBatch(models.Model):
    """Events of one stream that go in one request, always the same ones: `id` is its Idempotency-Key.

    There is one for a stream at a time. So what comes later cannot overtake, however often this is tried.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    stream = models.CharField(max_length=128, unique=True)
    made_at = models.DateTimeField(auto_now_add=True)
    # Attempts begun, and since when one of them may have stored it without our knowing. Both are written before an
    # attempt: whoever dies in it writes nothing any more.
    attempt_count = models.PositiveIntegerField(default=0)
    uncertain_since = models.DateTimeField(null=True)
    next_attempt_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True, default="")

    objects: ClassVar[models.Manager["OutboxBatch"]] = models.Manager()

    class Meta:
        verbose_name = _("request under way")
        verbose_name_plural = _("requests under way")

    def __str__(self) -> str:
        return f"{self.stream} {self.id}"


class OutboxEvent(models.Model):
    """An event that was published and is not known to be stored. Once it is, the row goes.

    Attributes:
        body: the event as it is sent, JSON, byte for byte the same in every attempt.
        batch: the request that it goes with; None while it waits.
        failed_at, error: since when and why it is not tried any more; events of its key wait behind it.
    """

    id = models.BigAutoField(primary_key=True)
    event_id = models.CharField(max_length=128, unique=True)
    stream = models.CharField(max_length=128)
    type = models.CharField(max_length=128, blank=True, default="")
    # Not the same: an empty key is a key, and no key promises no order.
    key = models.CharField(max_length=512, null=True)  # noqa: DJ001
    body = models.TextField()
    published_at = models.DateTimeField(auto_now_add=True)
    batch = models.ForeignKey(OutboxBatch, null=True, on_delete=models.PROTECT, related_name="events")
    failed_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True, default="")

    objects: ClassVar[models.Manager["OutboxEvent"]] = models.Manager()

    class Meta:
        verbose_name = _("event to be sent")
        verbose_name_plural = _("events to be sent")
        indexes: ClassVar = [
            models.Index(fields=["stream", "id"], condition=Q(batch=None, failed_at=None), name="outboxevent_waiting"),
            models.Index(fields=["stream", "key"], condition=Q(failed_at__isnull=False), name="outboxevent_failed"),
        ]
        constraints: ClassVar = [
            # What failed is sent again only when somebody says so.
            models.CheckConstraint(
                condition=Q(batch=None) | Q(failed_at=None), name="outbox_event_that_failed_is_in_no_request"
            )
        ]

    def __str__(self) -> str:
        return f"{self.stream} {self.type} {self.event_id}"


class ProcessedEvent(models.Model):
    """A mark that a group's handler has done its work, committed together with that work.

    The place alone would not do: a stream that was deleted and made anew has other events in the same places.
    """

    id = models.BigAutoField(primary_key=True)
    stream = models.CharField(max_length=128)
    group = models.CharField(max_length=128)
    partition = models.PositiveIntegerField()
    offset = models.PositiveBigIntegerField()
    event_id = models.CharField(max_length=128)
    processed_at = models.DateTimeField(auto_now_add=True, db_index=True)

    objects: ClassVar[models.Manager["ProcessedEvent"]] = models.Manager()

    class Meta:
        verbose_name = _("event handled")
        verbose_name_plural = _("events handled")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["stream", "group", "partition", "offset", "event_id"], name="processed_event_counts_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.group} {self.stream}/{self.partition}/{self.offset}"
