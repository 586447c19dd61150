"""Streams, their partitions, and the batches of events in them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from accounts.models import Grant, Owned, constraints_of_grant
from accounts.principals import Access
from accounts.roles import Right
from accounts.versions import fingerprint
from streams.conf import (
    MAX_ALIAS_CHARACTERS,
    MAX_DEDUPLICATION_SECONDS,
    MAX_PARTITIONS,
    MAX_QUARANTINE_CHARACTERS,
    MAX_REASON_CHARACTERS,
    MAX_TOPIC_CHARACTERS,
    MAX_TYPE_CHARACTERS,
    NOT_IN_QUARANTINE,
    POSTGRES,
)
from streams.names import NAME_PATTERN
from streams.schemas.compatibility import Compatibility


class Visibility(models.TextChoices):
    INTERNAL = "internal", "internal: every consumer may read it"
    RESTRICTED = "restricted", "restricted: its owner and those granted"


class Validation(models.TextChoices):
    """What becomes of an event whose payload is not as its type's schema says."""

    OFF = "off", "off: nobody looks"
    WARN = "warn", "warn: it is stored and marked"
    ENFORCE = "enforce", "enforce: its request is refused"


class Stream(Owned):
    """A named append-only log; its name is its id in URLs."""

    name = models.CharField(max_length=128, unique=True)
    description = models.CharField(max_length=1000, blank=True, default="")
    partition_count = models.PositiveSmallIntegerField("partitions", default=1)
    # How many it was made with; 0: as many as it has.
    first_partition_count = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    visibility = models.CharField(max_length=10, choices=Visibility, default=Visibility.INTERNAL)
    retention_max_age_seconds = models.BigIntegerField(null=True, blank=True)
    retention_max_bytes = models.BigIntegerField(null=True, blank=True)
    retention_max_events = models.BigIntegerField(null=True, blank=True)
    is_paused = models.BooleanField("paused", default=False)
    validation = models.CharField(
        max_length=7, choices=Validation, default=Validation.OFF, db_default=Validation.OFF.value
    )
    # For so many seconds an event whose id the stream has had is not stored again; NULL: each is.
    deduplicate_ids_seconds = models.PositiveIntegerField(null=True, blank=True)
    labels = models.JSONField(default=dict, blank=True)
    # The alias of the engine that it is appended to, and whether any of its partitions has epochs: of those that have
    # none nobody asks.
    engine = models.CharField(max_length=MAX_ALIAS_CHARACTERS, default=POSTGRES, db_default=POSTGRES, editable=False)
    has_epochs = models.BooleanField(default=False, db_default=False, editable=False)
    # The topic of somebody else that it shows; empty: its place was made for it. And whether nothing is appended to it.
    adopted_topic = models.CharField(
        max_length=MAX_TOPIC_CHARACTERS, blank=True, default="", db_default="", editable=False
    )
    is_read_only = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("name",)
        constraints = (
            *Owned.Meta.constraints,
            models.CheckConstraint(condition=Q(name__regex=NAME_PATTERN), name="stream_name_is_well_formed"),
            models.CheckConstraint(
                condition=Q(partition_count__gte=1, partition_count__lte=MAX_PARTITIONS),
                name="stream_partition_count_is_in_range",
            ),
            models.CheckConstraint(
                condition=(Q(retention_max_age_seconds__isnull=True) | Q(retention_max_age_seconds__gt=0))
                & (Q(retention_max_bytes__isnull=True) | Q(retention_max_bytes__gt=0))
                & (Q(retention_max_events__isnull=True) | Q(retention_max_events__gt=0)),
                name="stream_retention_limits_are_positive",
            ),
            models.CheckConstraint(
                condition=Q(deduplicate_ids_seconds__isnull=True)
                | Q(deduplicate_ids_seconds__gte=1, deduplicate_ids_seconds__lte=MAX_DEDUPLICATION_SECONDS),
                name="stream_deduplication_is_in_range",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def access(self) -> Access:
        """Who owns it and who was given what; loads the grants unless they were prefetched."""
        return Access.of(self.owned_by, ((grant.principal, grant.rights) for grant in self.grants.all()))

    @property
    def version(self) -> str:
        """Of what may be changed of it, as it was loaded; what its events do is none of it."""
        return fingerprint(
            {
                "id": self.pk,
                "owner": self.owner_name,
                "description": self.description,
                "partitions": self.partition_count,
                "visibility": self.visibility,
                "retention": [
                    self.retention_max_age_seconds,
                    self.retention_max_bytes,
                    self.retention_max_events,
                ],
                "paused": self.is_paused,
                "validation": self.validation,
                "deduplicate_ids": self.deduplicate_ids_seconds,
                "labels": self.labels,
                "updated_at": self.updated_at,
            }
        )


class StreamGrant(Grant):
    """Rights to a stream that its owner or manager gave to a user or a team."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="grants", db_index=False)
    rights = ArrayField(models.CharField(max_length=16, choices=[(right.value, right.value) for right in Right]))

    class Meta:
        ordering = ("pk",)
        constraints = constraints_of_grant("streamgrant", on="stream", rights=[right.value for right in Right])

    def __str__(self) -> str:
        return f"{self.grantee}: {', '.join(self.rights)}"


class EventSchema(models.Model):
    """One version of the JSON Schema of a type of events; the latest is what payloads are held to. Never changed.

    `document` is its JSON text: a column of JSON would give numbers back in another form.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="schemas", db_index=False)
    type = models.CharField(max_length=MAX_TYPE_CHARACTERS)
    version = models.PositiveIntegerField()
    document = models.TextField()
    compatibility = models.CharField(max_length=8, choices=[(each.value, each.value) for each in Compatibility])
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=64)
    # Of the payloads that were not as it says: how many were refused, how many stored with a mark, and when last.
    refused_count = models.BigIntegerField(default=0, db_default=0)
    marked_count = models.BigIntegerField(default=0, db_default=0)
    last_invalid_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "event schema"
        ordering = ("stream_id", "type", "version")
        constraints = (
            models.UniqueConstraint(fields=["stream", "type", "version"], name="schema_version_once_for_each_type"),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.version}"


class Partition(models.Model):
    """An ordered lane of a stream, and the counter that gives out its offsets.

    Every append locks and advances this one narrow row, so offsets are gap-free and in commit order.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="partitions")
    number = models.PositiveSmallIntegerField()
    head_offset = models.BigIntegerField(default=0)
    earliest_offset = models.BigIntegerField(default=1)
    # Of the kept events: their stored (compressed) size, so that retention by bytes needs no scan.
    stored_bytes = models.BigIntegerField(default=0)
    # Of all events ever appended: their uncompressed size, for rates and billing-like questions. An erasure leaves it.
    appended_bytes = models.BigIntegerField(default=0)
    last_recorded_at = models.DateTimeField(null=True)
    # Another random number after each erasure: batches that were remembered before are not served any more. Not a
    # count, which an erasure that is rolled back would give to the next one.
    erasure_mark = models.BigIntegerField(default=0, db_default=0)
    # Batches up to here were merged, or stay as they are. It lies within a batch that is still to be filled up, and
    # rises with every merging: whoever read the batches without a lock sees by it that they are others now.
    merged_to = models.BigIntegerField(default=0, db_default=0)
    # From this head on it pays to look for batches to merge.
    merge_due_head = models.BigIntegerField(default=0, db_default=0)
    # Appends whose events were placed among fewer partitions than these are refused: their keys belong elsewhere by
    # now. 0 until partitions are added to the stream.
    least_placed_among = models.PositiveSmallIntegerField(default=0, db_default=0)
    # The highest offset of an event that is for later or expires; 0: there was none. Whoever has passed it need not
    # look at an event to hand it out.
    timed_through = models.BigIntegerField(default=0, db_default=0)
    # Appended to in another engine: an append that comes here is refused, and asks anew where. Of such a partition the
    # offsets and sizes here are those that were last seen there: never above the truth.
    is_sealed = models.BooleanField(default=False, db_default=False)

    class Meta:
        ordering = ("stream_id", "number")
        constraints = (
            models.UniqueConstraint(fields=["stream", "number"], name="partition_number_unique_in_stream"),
            models.CheckConstraint(
                condition=Q(head_offset__gte=0, earliest_offset__gte=1, earliest_offset__lte=F("head_offset") + 1),
                name="partition_earliest_is_within_the_log",
            ),
            models.CheckConstraint(condition=Q(stored_bytes__gte=0), name="partition_stored_bytes_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.stream_id}/{self.number}"


class Epoch(models.Model):
    """A stretch of a partition's offsets that lies in one engine. A partition without any lies in PostgreSQL.

    The stretches of a partition follow each other without a hole; the last one is open.
    """

    pk = models.CompositePrimaryKey("partition_id", "number")
    # Not in cascade: it would cost the deletion of every other stream a statement. Whoever deletes such a partition
    # deletes them before.
    partition = models.ForeignKey(Partition, on_delete=models.DO_NOTHING, db_index=False, related_name="epochs")
    number = models.PositiveSmallIntegerField()
    engine = models.CharField(max_length=MAX_ALIAS_CHARACTERS)
    topic = models.CharField(max_length=MAX_TOPIC_CHARACTERS, blank=True)
    topic_id = models.CharField(max_length=64, blank=True)
    first_offset = models.BigIntegerField()
    last_offset = models.BigIntegerField(null=True)
    # What is added to the engine's own offset to get ours.
    base = models.BigIntegerField(default=0)
    # Why nothing is read here or appended to: what the engine has is not what it had. Empty: all is well.
    quarantine = models.CharField(
        max_length=MAX_QUARANTINE_CHARACTERS, blank=True, default=NOT_IN_QUARANTINE, db_default=NOT_IN_QUARANTINE
    )

    # Somebody else's topic, which is never altered, trimmed or deleted; and whether nothing is appended to it.
    is_external = models.BooleanField(default=False, db_default=False)
    is_read_only = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = (
            # Whoever asks how all is finds none, at the cost of an empty index.
            models.Index(fields=["partition"], condition=~Q(quarantine=NOT_IN_QUARANTINE), name="epoch_in_quarantine"),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(number__gte=1, first_offset__gte=1)
                & (Q(last_offset__isnull=True) | Q(last_offset__gte=F("first_offset") - 1)),
                name="epoch_is_a_stretch_of_offsets",
            ),
            models.UniqueConstraint(
                fields=["partition"], condition=Q(last_offset__isnull=True), name="epoch_open_once_in_each_partition"
            ),
        )

    def __str__(self) -> str:
        return f"{self.partition_id} from {self.first_offset}: {self.engine}"


class PlaceToClear(models.Model):
    """A place in an engine that no stream uses: its stream was deleted, or was never made. It is dropped there.

    Written in the transaction that deletes the stream, or before the place is made, and taken back in the transaction
    that shows the stream.
    """

    engine = models.CharField(max_length=MAX_ALIAS_CHARACTERS)
    topic = models.CharField(max_length=MAX_TOPIC_CHARACTERS, blank=True)
    topic_id = models.CharField(max_length=64, blank=True)
    stream_name = models.CharField(max_length=128)
    # By number.
    partition_ids = ArrayField(models.BigIntegerField())
    due_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.engine}: {self.topic}"


class EngineSighting(models.Model):
    """What a tick last saw of the topics that streams have in an engine. Counts are of partitions."""

    engine = models.CharField(max_length=MAX_ALIAS_CHARACTERS, primary_key=True)
    seen_at = models.DateTimeField()
    under_replicated = models.PositiveIntegerField(default=0)
    below_minimum = models.PositiveIntegerField(default=0)
    leaderless = models.PositiveIntegerField(default=0)
    # A sentence for each kind of trouble.
    words = ArrayField(models.CharField(max_length=1_000), default=list)

    def __str__(self) -> str:
        return self.engine


class MoveState(models.TextChoices):
    """How far a move has come: PLANNED -> PREPARED -> FENCING -> MOVED, or straight on where PostgreSQL is left.

    PLANNED, PREPARED and FENCING may end in ABORTED; FENCING goes back to PREPARED where the old place does not close.
    """

    PLANNED = "planned", "planned: a place is made for it"
    PREPARED = "prepared", "prepared: the new place is there"
    FENCING = "fencing", "fencing: the old place is being closed, and appends wait"
    MOVED = "moved", "moved"
    ABORTED = "aborted", "aborted: it lies where it was"


class StreamMove(models.Model):
    """A move of a stream from one engine to another. The row says where it stands, for whoever goes on with it."""

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="moves")
    source = models.CharField(max_length=MAX_ALIAS_CHARACTERS)
    target = models.CharField(max_length=MAX_ALIAS_CHARACTERS)
    allow_weak = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=MoveState, default=MoveState.PLANNED)
    # Of the stretches that begin there: no other move of the stream has it, so no two have the same place.
    epoch_number = models.PositiveSmallIntegerField()
    topic = models.CharField(max_length=MAX_TOPIC_CHARACTERS, blank=True)
    topic_id = models.CharField(max_length=64, blank=True)
    # What stands in the way, or stood; empty: nothing.
    problem = models.TextField(blank=True)
    asked_by = models.CharField(max_length=254, blank=True)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    # Who goes on with it: for a few seconds at a time, so that another one can when they are gone.
    worker = models.UUIDField(null=True)
    worked_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=["stream"], condition=Q(finished_at__isnull=True), name="move_under_way_once_for_each_stream"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["moved", "aborted"], finished_at__isnull=False)
                | (~Q(state__in=["moved", "aborted"]) & Q(finished_at__isnull=True)),
                name="move_is_finished_only_at_its_end",
            ),
            models.UniqueConstraint(fields=["stream", "epoch_number"], name="move_has_a_place_of_its_own"),
        )

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.source} to {self.target}, {self.state}"


class UnfinishedAppend(models.Model):
    """An append to another engine whose receipt is claimed and not complete: its process may be gone.

    A retry that comes late enough takes it over: it looks behind `heads` (by partition id, as text) for events with
    its tag, and sends the rest.
    """

    caller = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    tag = models.UUIDField()
    heads = models.JSONField()
    tried_at = models.DateTimeField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["caller", "key"], name="append_unfinished_once_for_each_key"),)

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"


class Mirror(models.Model):
    """A stream whose events are copied into a topic of another engine, as they come.

    Drawing: waiting for a worker --> leased by one, renewed again and again --> waiting, when it lets go of it, or has
    not been heard of for as long as the lease lasts. Paused, nobody takes it.
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="mirrors")
    engine = models.CharField(max_length=MAX_ALIAS_CHARACTERS)
    topic = models.CharField(max_length=MAX_TOPIC_CHARACTERS)
    is_paused = models.BooleanField(default=False)
    # Deleted, while a worker may have something under way: until that is over nobody else may write there.
    is_ending = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    # Since when it is paused, or was resumed.
    switched_at = models.DateTimeField(auto_now_add=True)
    # Whose it is. Whoever has another token may not change a position any more.
    lease_token = models.UUIDField(null=True)
    leased_at = models.DateTimeField(null=True)
    lease_expires_at = models.DateTimeField(null=True)
    # Since when nothing could be copied, and why; the reason stays when it can again.
    failing_since = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=MAX_REASON_CHARACTERS, blank=True, default="", db_default="")
    last_error_at = models.DateTimeField(null=True)
    failure_count = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ("pk",)
        constraints = (
            # Two would not know whose records are whose.
            models.UniqueConstraint(fields=["engine", "topic"], name="mirror_once_in_each_topic"),
            models.CheckConstraint(
                condition=Q(lease_token__isnull=True, leased_at__isnull=True, lease_expires_at__isnull=True)
                | Q(lease_token__isnull=False, leased_at__isnull=False, lease_expires_at__isnull=False),
                name="mirror_lease_is_whole_or_not_there",
            ),
        )

    def __str__(self) -> str:
        return f"{self.engine}: {self.topic}"


class MirrorPosition(models.Model):
    """How far one partition of a stream was copied."""

    pk = models.CompositePrimaryKey("mirror_id", "number")
    mirror = models.ForeignKey(Mirror, on_delete=models.CASCADE, db_index=False, related_name="positions")
    number = models.PositiveSmallIntegerField()
    # Events up to here are in the topic, or were lost, or came before the mirror.
    position = models.BigIntegerField()
    # Where the topic ended then, as its engine counts; NULL: nothing was copied yet.
    topic_end = models.BigIntegerField(null=True)
    copied_count = models.BigIntegerField(default=0, db_default=0)
    # Events that retention took before they were copied.
    lost_count = models.BigIntegerField(default=0, db_default=0)
    # Events that were found in the topic more than once.
    doubled_count = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = (
            models.CheckConstraint(condition=Q(position__gte=0), name="mirror_position_is_an_offset_or_none"),
        )

    def __str__(self) -> str:
        return f"{self.mirror_id}/{self.number}: {self.position}"


class EventBatch(models.Model):
    """What one append stored, or several whose batches were merged: one row holding many events.

    `records` is newline-delimited event JSON, compressed as `codec` says; merged ones have the times of the events in
    front. `recorded_at` is that of the newest event. Offsets are not stored: event i of the batch (from 0) has offset
    `last_offset - event_count + 1 + i`. Nothing but an erasure and a merging changes a row.
    """

    pk = models.CompositePrimaryKey("partition_id", "last_offset")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, db_index=False, related_name="batches")
    last_offset = models.BigIntegerField()
    event_count = models.PositiveIntegerField()
    recorded_at = models.DateTimeField()
    codec = models.PositiveSmallIntegerField()
    records = models.BinaryField()

    class Meta:
        verbose_name = "event batch"
        verbose_name_plural = "event batches"
        constraints = (
            models.CheckConstraint(
                condition=Q(event_count__gte=1) & Q(last_offset__gte=F("event_count")),
                name="batch_offsets_start_at_one",
            ),
        )

    def __str__(self) -> str:
        return f"{self.partition_id} ≤{self.last_offset}"


class RememberedId(models.Model):
    """The id of an event of a stream that deduplicates, as a digest of it, and where the event is.

    The log writes, asks and forgets them; their streams and partitions may be gone.
    """

    pk = models.CompositePrimaryKey("stream_id", "digest")
    stream_id = models.BigIntegerField()
    digest = models.UUIDField()
    partition_id = models.BigIntegerField()
    event_offset = models.BigIntegerField()
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = "remembered id"
        # In the order in which they are forgotten.
        indexes = (models.Index(fields=["partition_id", "event_offset"], name="remembered_id_by_offset"),)

    def __str__(self) -> str:
        return f"{self.partition_id}@{self.event_offset}"


class RememberedFamily(models.Model):
    """The ids that the server made for events of one append to a stream that deduplicates, and where the events are.

    They share all but their last four bytes: `family` is what they share, `members` the rest of each, in the order of
    the events, whose first has `first_offset`. As above, their streams and partitions may be gone.
    """

    pk = models.CompositePrimaryKey("partition_id", "first_offset")
    partition_id = models.BigIntegerField()
    first_offset = models.BigIntegerField()
    event_count = models.PositiveIntegerField()
    stream_id = models.BigIntegerField()
    family = models.UUIDField()
    members = models.BinaryField()
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name = "family of remembered ids"
        verbose_name_plural = "families of remembered ids"
        indexes = (models.Index(fields=["stream_id", "family"], name="remembered_family"),)

    def __str__(self) -> str:
        return f"{self.partition_id}@{self.first_offset}"
