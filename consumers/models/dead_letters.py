"""Events that a group gave up on, and what was done about them."""

from django.db import models
from django.db.models import Q

from accounts.request_ids import MAX_REQUEST_ID_CHARACTERS
from consumers.conf import MAX_CONSUMER_CHARACTERS, MAX_NOTE_CHARACTERS
from consumers.models.groups import ConsumerGroup
from consumers.states import BulkStatus, DeadLetterStatus, ExhaustedReason, Outcome, RedriveOutcome
from streams.conf import MAX_ID_CHARACTERS, MAX_KEY_BYTES, MAX_TYPE_CHARACTERS
from streams.models import Partition


class DeadLetter(models.Model):
    """An event that a group gave up on, copied out so that retention cannot take it.

    `event` is the event's JSON exactly as consumers were given it. It is null in one case only: retention
    took the event while it was still being tried.
    """

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="dead_letters", db_index=False)
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="+", db_index=False)
    offset = models.BigIntegerField()
    # 0 for the first run; a redrive, or what a seek hands out again, is a round of its own.
    round = models.PositiveIntegerField(default=0)
    event = models.BinaryField(null=True)
    event_id = models.CharField(max_length=MAX_ID_CHARACTERS, blank=True, default="")
    event_type = models.CharField(max_length=MAX_TYPE_CHARACTERS, blank=True, default="")
    event_key = models.CharField(max_length=MAX_KEY_BYTES, blank=True, default="")
    reason = models.CharField(max_length=12, choices=[(reason.value, reason.value) for reason in ExhaustedReason])
    status = models.CharField(
        max_length=9,
        choices=[(status.value, status.value) for status in DeadLetterStatus],
        default=DeadLetterStatus.OPEN.value,
    )
    delivery_count = models.PositiveIntegerField(default=0)
    failure_count = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True, default="")
    # Equal for errors that differ only in numbers and ids (consumers/fingerprint.py).
    error_fingerprint = models.CharField(max_length=16, blank=True, default="")
    # Who reported it, for reason `reported`.
    reported_by = models.CharField(max_length=64, blank=True, default="")
    # Retention had taken the event: it is the copy that whoever reported it sent.
    is_reported_copy = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    # When it left `open` for good, by whom and why.
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=64, blank=True, default="")
    note = models.CharField(max_length=MAX_NOTE_CHARACTERS, blank=True, default="")

    class Meta:
        verbose_name = "dead letter"
        ordering = ("-id",)
        constraints = (
            # In this order it also finds the dead letters of one event in all groups.
            models.UniqueConstraint(
                fields=["partition", "offset", "group", "round"], name="deadletter_once_for_each_event_group_and_round"
            ),
            models.CheckConstraint(
                condition=Q(status__in=[status.value for status in DeadLetterStatus]), name="deadletter_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(status__in=["open", "redriven"], closed_at__isnull=True)
                | Q(status__in=["resolved", "discarded"], closed_at__isnull=False),
                name="deadletter_is_closed_exactly_when_resolved_or_discarded",
            ),
            models.CheckConstraint(condition=Q(offset__gte=1), name="deadletter_offset_starts_at_one"),
        )
        indexes = (
            models.Index(fields=["group", "-id"], name="deadletter_newest_of_group"),
            models.Index(fields=["group", "-id"], condition=Q(status="open"), name="deadletter_open_of_group"),
            # A few hours of a long time are found without passing by all that died later.
            models.Index(fields=["group", "created_at"], condition=Q(status="open"), name="deadletter_open_by_time"),
            models.Index(fields=["group", "error_fingerprint"], name="deadletter_by_fingerprint"),
            # Whoever has an event's id finds what became of it, though retention has taken the event.
            models.Index(fields=["event_id"], condition=~Q(event_id=""), name="deadletter_by_event_id"),
        )

    def __str__(self) -> str:
        return f"dead letter {self.pk}, offset {self.offset}, {self.status}"


class DeadLetterAttempt(models.Model):
    """One attempt at an event that ended as a dead letter: copied from the history, which is kept for less long."""

    dead_letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="attempts")
    number = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    consumer = models.CharField(max_length=MAX_CONSUMER_CHARACTERS, blank=True, default="")
    leased_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    error = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = "attempt"
        ordering = ("dead_letter_id", "id")

    def __str__(self) -> str:
        return f"{self.number}. {self.outcome}"


class BulkKind(models.TextChoices):
    REDRIVE = "redrive", "redrive"
    DISCARD = "discard", "discard"


class BulkAction(models.Model):
    """A redrive or discard of many dead letters: what was asked, by whom, and how far it has come.

    It is done in bounded steps; each commits its dead letters together with `last_id`, so that one that
    was killed goes on where it stopped. One that was cancelled is finished: what was done of it stays done.
    """

    kind = models.CharField(max_length=7, choices=BulkKind)
    # The groups that the caller could see when they asked: rights are not asked again by the reconciler.
    group_ids = models.JSONField(default=list)
    filter = models.JSONField(default=dict)
    note = models.CharField(max_length=MAX_NOTE_CHARACTERS, blank=True, default="")
    requested_by = models.CharField(max_length=64)
    # Whoever does a step logs under the id of the request that asked for it.
    request_id = models.CharField(max_length=MAX_REQUEST_ID_CHARACTERS, blank=True, default="", db_default="")
    total_count = models.PositiveIntegerField()
    # A text was looked for, and there was more to look at than one request does: there may be more than were counted.
    is_total_exact = models.BooleanField(default=True, db_default=True)
    done_count = models.PositiveIntegerField(default=0)
    # How many may go in a second, and when the next one may; null: as fast as steps follow each other.
    per_second = models.PositiveSmallIntegerField(null=True)
    next_at = models.DateTimeField(null=True)
    # Nothing that became a dead letter later is touched.
    max_id = models.BigIntegerField()
    last_id = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    cancelled_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=64, blank=True, default="", db_default="")

    class Meta:
        verbose_name = "bulk action"
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(cancelled_at__isnull=True) | Q(finished_at__isnull=False),
                name="bulkaction_is_finished_once_cancelled",
            ),
            # Without a time it would never go on, or go on at no rate.
            models.CheckConstraint(
                condition=Q(per_second__isnull=True, next_at__isnull=True)
                | Q(per_second__isnull=False, per_second__gte=1, next_at__isnull=False),
                name="bulkaction_has_a_next_time_exactly_with_a_rate",
            ),
        )
        indexes = (models.Index(fields=["id"], condition=Q(finished_at__isnull=True), name="bulkaction_unfinished"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.done_count}/{self.total_count}"

    @property
    def status(self) -> BulkStatus:
        if self.cancelled_at is not None:
            return BulkStatus.CANCELLED
        return BulkStatus.RUNNING if self.finished_at is None else BulkStatus.FINISHED


class Redrive(models.Model):
    """One time that a dead letter was sent to its group again: by whom, when, with which change, how it ended."""

    dead_letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="redrives")
    round = models.PositiveIntegerField()
    requested_by = models.CharField(max_length=64)
    requested_at = models.DateTimeField()
    note = models.CharField(max_length=MAX_NOTE_CHARACTERS, blank=True, default="")
    # The event with its edited payload; null: as it was. The original stays in the dead letter.
    edited_event = models.BinaryField(null=True)
    # What the edit changed: a JSON array of {pointer, before, after}, as text because jsonb refuses \u0000.
    difference = models.TextField(blank=True, default="")
    outcome = models.CharField(
        max_length=10,
        choices=[(outcome.value, outcome.value) for outcome in RedriveOutcome],
        default=RedriveOutcome.PENDING.value,
    )
    ended_at = models.DateTimeField(null=True)
    bulk_action = models.ForeignKey(BulkAction, null=True, on_delete=models.SET_NULL, related_name="redrives")

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["dead_letter", "round"], name="redrive_once_for_each_round"),
            models.CheckConstraint(
                condition=Q(outcome="pending", ended_at__isnull=True)
                | (~Q(outcome="pending") & Q(ended_at__isnull=False)),
                name="redrive_has_ended_exactly_when_not_pending",
            ),
        )

    def __str__(self) -> str:
        return f"{self.dead_letter_id} round {self.round}: {self.outcome}"
