"""Consumer groups and how far each has come."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from accounts.models import Grant, Owned, constraints_of_grant
from accounts.principals import Access
from accounts.versions import fingerprint
from consumers.access import GroupRight
from consumers.conf import (
    DEFAULT_ACK_WAIT_SECONDS,
    DEFAULT_BACKOFF_SECONDS,
    DEFAULT_MAX_DELIVERIES,
    DEFAULT_MAX_FAILURES,
    DEFAULT_MAX_IN_FLIGHT,
)
from streams.models import Partition, Stream
from streams.names import NAME_PATTERN


class Mode(models.TextChoices):
    OFFSET = "offset", "offset: the consumer commits offsets"
    LEASE = "lease", "lease: the server hands out events, retries and dead-letters"


class Ordering(models.TextChoices):
    PARTITION = "partition", "partition: one outstanding delivery per partition"
    KEY = "key", "key: one outstanding event per key"
    NONE = "none", "none: any number up to max_in_flight"


class Start(models.TextChoices):
    EARLIEST = "earliest", "earliest"
    LATEST = "latest", "latest"


def default_backoff() -> list[int]:
    return list(DEFAULT_BACKOFF_SECONDS)


class ConsumerGroup(Owned):
    """Named progress over one stream, shared by its members."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="consumer_groups")
    name = models.CharField(max_length=128)
    mode = models.CharField(max_length=6, choices=Mode, default=Mode.OFFSET)
    start = models.CharField(max_length=8, choices=Start, default=Start.EARLIEST)
    ack_wait_seconds = models.PositiveIntegerField(default=DEFAULT_ACK_WAIT_SECONDS)
    max_failures = models.PositiveSmallIntegerField(default=DEFAULT_MAX_FAILURES)
    # Counts every lease, failed or not: a consumer that crashes or gives back cannot loop for ever.
    max_deliveries = models.PositiveSmallIntegerField(default=DEFAULT_MAX_DELIVERIES)
    backoff_seconds = ArrayField(models.PositiveIntegerField(), default=default_backoff)
    ordering = models.CharField(max_length=9, choices=Ordering, default=Ordering.NONE)
    max_in_flight = models.PositiveIntegerField(default=DEFAULT_MAX_IN_FLIGHT)
    is_paused = models.BooleanField("paused", default=False)
    # {"types": […], "headers": {…}}: which events it is given (consumers/filters.py); None: all of them.
    filter = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "consumer group"
        ordering = ("stream_id", "name")
        constraints = (
            *Owned.Meta.constraints,
            models.UniqueConstraint(fields=["stream", "name"], name="group_name_unique_in_stream"),
            models.CheckConstraint(condition=Q(name__regex=NAME_PATTERN), name="group_name_is_well_formed"),
            models.CheckConstraint(
                condition=Q(
                    ack_wait_seconds__gte=1, max_failures__gte=1, max_in_flight__gte=1, backoff_seconds__len__gte=1
                ),
                name="group_settings_are_positive",
            ),
            # The last one is delivered alone: there must be one before it.
            models.CheckConstraint(condition=Q(max_deliveries__gte=2), name="group_delivers_at_least_twice"),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def access(self) -> Access:
        """Who owns it and who was given what; loads the grants unless they were prefetched."""
        return self._access or Access.of(
            self.owned_by, ((grant.principal, grant.rights) for grant in self.grants.all())
        )

    # Worked out once, of a row that nobody changes any more: Django takes its time for a list of grants.
    _access: Access | None = None

    def keep_access(self) -> None:
        """Work `access` out for good: this row is only read from here on."""
        self._access = self.access

    @property
    def keeps_key_order(self) -> bool:
        """Whether of a key one event is outstanding; who reads by offsets reads in order anyway."""
        return self.mode == Mode.LEASE and self.ordering == Ordering.KEY

    @property
    def version(self) -> str:
        """Of what may be changed of it, as it was loaded; how far it has come is none of it."""
        return fingerprint(
            {
                "id": self.pk,
                "owner": self.owner_name,
                "ack_wait": self.ack_wait_seconds,
                "max_failures": self.max_failures,
                "max_deliveries": self.max_deliveries,
                "backoff": self.backoff_seconds,
                "ordering": self.ordering,
                "max_in_flight": self.max_in_flight,
                "paused": self.is_paused,
                "filter": self.filter,
                "updated_at": self.updated_at,
            }
        )


class GroupGrant(Grant):
    """Rights to a group that its owner or manager gave to a user or a team."""

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="grants", db_index=False)
    rights = ArrayField(models.CharField(max_length=16, choices=[(right.value, right.value) for right in GroupRight]))

    class Meta:
        ordering = ("pk",)
        constraints = constraints_of_grant("groupgrant", on="group", rights=[right.value for right in GroupRight])

    def __str__(self) -> str:
        return f"{self.grantee}: {', '.join(self.rights)}"


class GroupOffset(models.Model):
    """How far a group has come in one partition: everything up to `committed_offset` is finished.

    In lease mode everything up to `dispatched_offset` was handed out at least once; what of it is not yet
    finished, deliveries say. It may stand below the committed offset, and then says nothing.
    """

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="offsets", db_index=False)
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="group_offsets")
    committed_offset = models.BigIntegerField(default=0)
    committed_at = models.DateTimeField(null=True)
    dispatched_offset = models.BigIntegerField(default=0)
    # Where the group began: it never read what lies before, unless it was sought back there.
    start_offset = models.BigIntegerField(default=0)
    # The round of what is handed out next; every seek begins a new one (consumers/services/seek.py).
    round = models.PositiveIntegerField(default=0)
    # What retention took before the group had finished it, ever, as far as it is counted; so many of them somebody has
    # acknowledged (consumers/services/losses.py).
    lost_count = models.BigIntegerField(default=0, db_default=0)
    lost_acknowledged = models.BigIntegerField(default=0, db_default=0)
    # What retention took up to here and was never handed out is in the count, whether or not the group has passed it.
    lost_through = models.BigIntegerField(default=0, db_default=0)
    # The offsets between which the losses lie that nobody has acknowledged, and when the last of them was counted.
    lost_first_offset = models.BigIntegerField(null=True)
    lost_last_offset = models.BigIntegerField(null=True)
    lost_at = models.DateTimeField(null=True)
    # How many events, ever: that were committed, or acked in lease mode; whose delivery failed, each time, by a nack or
    # an expiry; that became dead letters. They only rise: their differences say what happened between two moments.
    finished_count = models.BigIntegerField(default=0, db_default=0)
    failed_count = models.BigIntegerField(default=0, db_default=0)
    dead_letter_count = models.BigIntegerField(default=0, db_default=0)
    # How many events, ever, were finished without being handed out: because the group's filter does not let them
    # through, or because they had expired.
    filtered_count = models.BigIntegerField(default=0, db_default=0)
    expired_count = models.BigIntegerField(default=0, db_default=0)
    # The order of keys is kept in what is handed out once everything up to here is finished; null: it is not kept.
    key_order_after = models.BigIntegerField(null=True)
    # How many events are held up by others of their key at this moment.
    held_up_count = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = "group offset"
        constraints = (
            models.UniqueConstraint(fields=["group", "partition"], name="groupoffset_unique_per_partition"),
            models.CheckConstraint(condition=Q(committed_offset__gte=0), name="groupoffset_committed_not_negative"),
            models.CheckConstraint(condition=Q(dispatched_offset__gte=0), name="groupoffset_dispatched_not_negative"),
            models.CheckConstraint(
                condition=Q(lost_acknowledged__gte=0, lost_acknowledged__lte=F("lost_count")),
                name="groupoffset_acknowledges_only_what_was_lost",
            ),
        )

    def __str__(self) -> str:
        return f"{self.group_id}: {self.committed_offset}"


class UnfinishedSighting(models.Model):
    """When the first unfinished event of a group in a partition was recorded, as last seen in another engine.

    Lists, metrics and alerts ask no other engine; a tick does (consumers/services/unfinished_sightings.py).
    """

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="+", db_index=False)
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="+")
    # The group's committed offset then; while it stands there, what was seen is how it is.
    committed_offset = models.BigIntegerField()
    # Null: there was no event behind it, or it lies in PostgreSQL, which is asked itself.
    recorded_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    # When somebody wanted to see it last, though the engine may have been away.
    looked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "sighting of an unfinished event"
        constraints = (
            models.UniqueConstraint(fields=["group", "partition"], name="unfinishedsighting_unique_per_partition"),
        )

    def __str__(self) -> str:
        return f"{self.group_id} in {self.partition_id}: {self.recorded_at}"


class GroupMember(models.Model):
    """A caller that was seen reading as a group, and when: the group's members have no other trace."""

    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, related_name="members", db_index=False)
    name = models.CharField(max_length=128)
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = "group member"
        constraints = (models.UniqueConstraint(fields=["group", "name"], name="groupmember_name_unique_in_group"),)

    def __str__(self) -> str:
        return self.name
