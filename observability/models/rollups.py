"""What has been added up of the log, and when the timers last ticked."""

from django.db import models
from django.db.models import Q

from consumers.models import ConsumerGroup
from streams.conf import MAX_TYPE_CHARACTERS
from streams.models import Partition, Stream


class RollupCursor(models.Model):
    """How far a partition has been rolled up: every event up to `rolled_up_offset` is counted, exactly once."""

    partition = models.OneToOneField(Partition, on_delete=models.CASCADE, primary_key=True, db_constraint=False)
    # A stream that is deleted takes its cursors along: its partitions are gone before Django looks at them.
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    rolled_up_offset = models.BigIntegerField(default=0)
    # Of the events up to there, those that retention took first are not in it.
    rolled_up_bytes = models.BigIntegerField(default=0)
    # When the event at `rolled_up_offset` was recorded.
    rolled_up_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "roll-up cursor"
        constraints = (
            models.CheckConstraint(condition=Q(rolled_up_offset__gte=0), name="rollupcursor_offset_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.partition_id} ≤{self.rolled_up_offset}"


class StreamMinute(models.Model):
    """Events appended to a stream in one minute, and the size of their JSON."""

    # No constraint in the database: checking it for each minute would cost more than sweeping an orphan.
    pk = models.CompositePrimaryKey("stream_id", "minute")
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    minute = models.DateTimeField()
    events = models.BigIntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        verbose_name = "stream's minute"
        indexes = (models.Index(fields=["minute"], name="streamminute_by_age"),)

    def __str__(self) -> str:
        return f"{self.stream_id} {self.minute:%F %H:%M} {self.events}"


class TypePeriod(models.Model):
    """Events of one type appended to a stream in one minute or one hour: long windows read the hours."""

    class Length(models.TextChoices):
        MINUTE = "m", "minute"
        HOUR = "h", "hour"

    pk = models.CompositePrimaryKey("stream_id", "length", "start", "type")
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False)
    length = models.CharField(max_length=1, choices=Length)
    start = models.DateTimeField()
    # Empty: all types beyond the ROLLUP_MAX_TYPES of an hour.
    type = models.CharField(max_length=MAX_TYPE_CHARACTERS, blank=True)
    events = models.BigIntegerField()
    bytes = models.BigIntegerField()

    class Meta:
        verbose_name = "type's period"
        constraints = (models.CheckConstraint(condition=Q(length__in=["m", "h"]), name="typeperiod_length_is_known"),)
        indexes = (models.Index(fields=["start"], name="typeperiod_by_age"),)

    def __str__(self) -> str:
        return f"{self.stream_id} {self.type} {self.start:%F %H:%M} {self.events}"


class Heartbeat(models.Model):
    """When a periodic task last succeeded: a tick went from beat through the broker to a worker and into here.

    `done` is what the last run did that found anything to do: events that were deleted, batches that were merged.
    """

    name = models.CharField(max_length=64, primary_key=True)
    ticked_at = models.DateTimeField()
    done = models.BigIntegerField(null=True)
    done_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} {self.ticked_at:%F %T}"


class GroupMinute(models.Model):
    """Where a group stood at the beginning of a minute, all partitions together: lag as it was, for charts."""

    pk = models.CompositePrimaryKey("group_id", "minute")
    group = models.ForeignKey(
        ConsumerGroup, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    minute = models.DateTimeField()
    committed_offset = models.BigIntegerField()
    head_offset = models.BigIntegerField()
    # Null where they were not recorded yet. The counts are those since the group began (consumers/models/groups.py).
    lag = models.BigIntegerField(null=True)
    finished_count = models.BigIntegerField(null=True)
    failed_count = models.BigIntegerField(null=True)
    dead_letter_count = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "group's minute"
        indexes = (models.Index(fields=["minute"], name="groupminute_by_age"),)

    def __str__(self) -> str:
        return f"{self.group_id} {self.minute:%F %H:%M} {self.committed_offset}/{self.head_offset}"


class GroupHour(models.Model):
    """Of an hour's `GroupMinute`s the first: kept for as long as streams' minutes, for long ranges."""

    pk = models.CompositePrimaryKey("group_id", "hour")
    group = models.ForeignKey(
        ConsumerGroup, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    hour = models.DateTimeField()
    minute = models.DateTimeField()
    lag = models.BigIntegerField()
    finished_count = models.BigIntegerField()
    failed_count = models.BigIntegerField()
    dead_letter_count = models.BigIntegerField()

    class Meta:
        verbose_name = "group's hour"
        indexes = (models.Index(fields=["hour"], name="grouphour_by_age"),)

    def __str__(self) -> str:
        return f"{self.group_id} {self.hour:%F %H} {self.lag}"


class RejectedAppends(models.Model):
    """Appends that were refused in one minute, by all web servers; kept for an hour."""

    minute = models.DateTimeField(primary_key=True)
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = "rejected appends"

    def __str__(self) -> str:
        return f"{self.minute:%F %H:%M} {self.count}"
