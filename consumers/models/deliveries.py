"""What lease mode has handed out and not yet finished, and what did not go smoothly."""

from django.db import models
from django.db.models import F, Q

from consumers.browser_leases import PREFIX
from consumers.conf import MAX_CONSUMER_CHARACTERS, MAX_LEASE_EVENTS
from consumers.models.dead_letters import DeadLetter
from consumers.models.groups import ConsumerGroup
from consumers.states import DeliveryState, ExhaustedReason, Outcome
from streams.models import Partition


class Delivery(models.Model):
    """A contiguous range of offsets that was handed out and is not yet finished; a finished one has no row.

    `consumers/states.py` has the drawing of its life.
    """

    # Whoever inserts a delivery holds the group's offset row of that partition, which has these two constraints. To
    # check them again for each lease would lock the group's row and the counter row that every append updates.
    group = models.ForeignKey(
        ConsumerGroup, on_delete=models.CASCADE, related_name="deliveries", db_index=False, db_constraint=False
    )
    partition = models.ForeignKey(
        Partition, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    # A redrive: one event, whose body is the dead letter's copy; it stands outside the group's order.
    dead_letter = models.ForeignKey(
        DeadLetter, null=True, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    round = models.PositiveIntegerField(default=0)
    first_offset = models.BigIntegerField()
    last_offset = models.BigIntegerField()
    state = models.CharField(max_length=9, choices=[(state.value, state.value) for state in DeliveryState])
    # The answer that carries it must carry, or did carry, nothing else (consumers/isolation.py).
    is_alone = models.BooleanField("handed out alone", default=False)
    # How many events under suspicion its answer may carry, these included; 0: it is not under suspicion.
    suspect_limit = models.SmallIntegerField(default=0, db_default=0)
    delivery_count = models.PositiveIntegerField(default=0)
    failure_count = models.PositiveIntegerField(default=0)
    lease_token = models.UUIDField(null=True)
    leased_by = models.CharField(max_length=MAX_CONSUMER_CHARACTERS, blank=True, default="")
    leased_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    available_at = models.DateTimeField(null=True)
    exhausted_reason = models.CharField(
        max_length=12, blank=True, default="", choices=[(reason.value, reason.value) for reason in ExhaustedReason]
    )
    last_error = models.TextField(blank=True, default="")
    last_failed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    # Of one event in a group that keeps the order of each key: which key it has (consumers/sorting.py).
    key_hash = models.BigIntegerField(null=True)
    # When its events that were for later were to be handed out; it stays when they were.
    due_at = models.DateTimeField(null=True)
    # From when on its events are not handed out any more.
    event_expires_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ("id",)
        constraints = (
            # The smallest of these gives the committed offset: an index scan that stops at its first row.
            models.UniqueConstraint(
                fields=["group", "partition", "first_offset"],
                condition=Q(dead_letter__isnull=True),
                name="delivery_of_an_event_unique_in_group",
            ),
            models.UniqueConstraint(
                fields=["dead_letter"],
                condition=Q(dead_letter__isnull=False),
                name="delivery_of_a_redrive_unique",
            ),
            models.CheckConstraint(
                condition=Q(first_offset__gte=1)
                & Q(last_offset__gte=F("first_offset"))
                & Q(last_offset__lt=F("first_offset") + MAX_LEASE_EVENTS),
                name="delivery_range_is_neither_empty_nor_too_long",
            ),
            models.CheckConstraint(
                condition=Q(dead_letter__isnull=True) | Q(first_offset=F("last_offset")),
                name="delivery_of_a_redrive_is_one_event",
            ),
            # A lease without an expiry could never be taken back.
            models.CheckConstraint(
                condition=Q(
                    state="leased",
                    lease_expires_at__isnull=False,
                    lease_token__isnull=False,
                    leased_at__isnull=False,
                    delivery_count__gte=1,
                )
                | (~Q(state="leased") & Q(lease_expires_at__isnull=True, lease_token__isnull=True)),
                name="delivery_has_token_and_expiry_exactly_while_leased",
            ),
            models.CheckConstraint(
                condition=Q(state="waiting", available_at__isnull=False)
                | Q(state="held_up")
                | (~Q(state__in=["waiting", "held_up"]) & Q(available_at__isnull=True)),
                name="delivery_is_available_at_a_time_while_waiting",
            ),
            models.CheckConstraint(
                condition=(Q(state="exhausted") & ~Q(exhausted_reason=""))
                | (~Q(state="exhausted") & Q(exhausted_reason="")),
                name="delivery_has_a_reason_exactly_while_exhausted",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in DeliveryState]), name="delivery_state_is_known"
            ),
            # Somebody wants it after all.
            models.CheckConstraint(
                condition=Q(dead_letter__isnull=True) | Q(event_expires_at__isnull=True),
                name="delivery_of_a_redrive_never_expires",
            ),
            models.CheckConstraint(
                condition=Q(key_hash__isnull=True) | Q(first_offset=F("last_offset")),
                name="delivery_of_a_key_is_one_event",
            ),
            # It was never handed out, and stands in the order: a redrive does not.
            models.CheckConstraint(
                condition=~Q(state="held_up")
                | Q(key_hash__isnull=False, dead_letter__isnull=True, delivery_count=0, failure_count=0),
                name="delivery_held_up_has_a_key_and_was_never_handed_out",
            ),
            # Redrives included: of a key one event at a time is in somebody's hands.
            models.UniqueConstraint(
                fields=["group", "partition", "key_hash"],
                condition=Q(state="leased", key_hash__isnull=False),
                name="delivery_of_a_key_leased_one_at_a_time",
            ),
            models.CheckConstraint(
                condition=Q(failure_count__lte=F("delivery_count")), name="delivery_never_failed_more_often_than_leased"
            ),
        )
        indexes = (
            models.Index(
                fields=["group", "is_alone", "available_at"],
                condition=Q(state="waiting") & (Q(suspect_limit=0) | Q(is_alone=True)),
                name="delivery_waiting_by_due",
            ),
            # Empty, unless a consumer has died.
            models.Index(
                fields=["group", "state", "is_alone", "available_at"],
                include=["first_offset", "last_offset"],
                condition=Q(suspect_limit__gt=0),
                name="delivery_suspected",
            ),
            models.Index(
                fields=["group", "lease_expires_at"],
                include=["first_offset", "last_offset"],
                condition=Q(state="leased"),
                name="delivery_leased_by_expiry",
            ),
            models.Index(
                fields=["group", "partition", "first_offset"],
                condition=Q(state="exhausted"),
                name="delivery_exhausted",
            ),
            models.Index(
                fields=["group", "partition", "key_hash", "first_offset"],
                condition=Q(key_hash__isnull=False, dead_letter__isnull=True),
                name="delivery_of_a_key_in_order",
            ),
            models.Index(
                fields=["group", "partition", "first_offset"],
                condition=Q(state="held_up"),
                name="delivery_held_up",
            ),
            models.Index(
                fields=["group", "partition", "first_offset"],
                condition=Q(dead_letter__isnull=False),
                name="delivery_redrives",
            ),
            # What is for later, which may be a million, and what expires: nothing else is in either.
            models.Index(
                fields=["group", "available_at"],
                include=["first_offset", "last_offset"],
                condition=Q(state="waiting", delivery_count=0),
                name="delivery_scheduled",
            ),
            # Without those that are for later, what waits for longest is found elsewhere.
            models.Index(
                fields=["group", "partition", "due_at"],
                condition=Q(due_at__isnull=False),
                name="delivery_for_later",
            ),
            models.Index(
                fields=["group", "event_expires_at"],
                condition=Q(state__in=["waiting", "held_up"], event_expires_at__isnull=False),
                name="delivery_to_lapse",
            ),
            # What people hold from the dashboard is little, whatever programs hold; and what failed is not everything.
            models.Index(
                fields=["group", "lease_expires_at"],
                condition=Q(state="leased", leased_by__startswith=PREFIX),
                name="delivery_in_browsers",
            ),
            models.Index(
                fields=["group", "-failure_count", "partition", "first_offset"],
                condition=Q(failure_count__gt=0),
                name="delivery_failed_most",
            ),
        )

    def __str__(self) -> str:
        return f"{self.group_id}/{self.partition_id}: {self.first_offset}-{self.last_offset} {self.state}"


class DeliveryHistory(models.Model):
    """How a lease ended that did not go smoothly: one row for each range, never for a plain first ack."""

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="+", db_index=False)
    round = models.PositiveIntegerField(default=0)
    first_offset = models.BigIntegerField()
    last_offset = models.BigIntegerField()
    outcome = models.CharField(max_length=8, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    delivery_count = models.PositiveIntegerField()
    failure_count = models.PositiveIntegerField()
    consumer = models.CharField(max_length=MAX_CONSUMER_CHARACTERS, blank=True, default="")
    leased_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField()
    error = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = "delivery history"
        verbose_name_plural = "delivery history"
        ordering = ("id",)
        constraints = (
            models.CheckConstraint(
                condition=Q(last_offset__gte=F("first_offset")), name="deliveryhistory_range_is_not_empty"
            ),
        )
        indexes = (
            models.Index(fields=["partition", "first_offset"], name="deliveryhistory_by_offset"),
            models.Index(fields=["ended_at"], name="deliveryhistory_by_end"),
            # These ranges have any length, and are few.
            models.Index(
                fields=["partition", "first_offset"],
                condition=Q(outcome__in=["lost", "skipped"]),
                name="deliveryhistory_passed_by",
            ),
        )

    def __str__(self) -> str:
        return f"{self.first_offset}-{self.last_offset} {self.outcome}"


class EndedLease(models.Model):
    """A lease that its consumer ended, remembered for a while: the same request again is answered as before.

    It is written in the transaction that ended the lease. One answer's deliveries share a token, so a row
    is named by both.
    """

    pk = models.CompositePrimaryKey("lease_token", "delivery_id")
    lease_token = models.UUIDField()
    delivery_id = models.BigIntegerField()
    # No constraint and no index: this row is written by every ack, and lives for an hour.
    group = models.ForeignKey(
        ConsumerGroup, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    outcome = models.CharField(max_length=8, choices=[(outcome.value, outcome.value) for outcome in Outcome])
    ended_at = models.DateTimeField()

    class Meta:
        verbose_name = "ended lease"
        indexes = (models.Index(fields=["ended_at"], name="endedlease_by_end"),)

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.outcome}"
