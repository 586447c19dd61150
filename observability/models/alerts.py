"""Alerts: where they are sent, what is watched, and what has been noticed."""

from django.db import models
from django.db.models import Q

from accounts.models import Owned
from consumers.models import ConsumerGroup
from streams.models import Stream


class ChannelKind(models.TextChoices):
    WEBHOOK = "webhook", "webhook: signed JSON, as Standard Webhooks say"
    SLACK = "slack", "slack: to an incoming webhook of Slack, Mattermost and their like"
    EMAIL = "email", "email"


class What(models.TextChoices):
    """What can be watched; how, says `observability/alerts/kinds.py`."""

    DEAD_LETTERS = "dead_letters", "open dead letters of a group"
    LAG = "lag", "lag of a group, in events"
    LAG_SECONDS = "lag_seconds", "lag of a group, in seconds"
    SILENT_GROUP = "silent_group", "a group that nobody reads as"
    SILENT_PRODUCER = "silent_producer", "a stream that nobody appends to"
    RETENTION_RISK = "retention_risk", "unfinished events that retention will take soon"
    LOST = "lost", "events that retention took before a group had finished them"
    DISK = "disk", "how full the disk of the log is"
    REJECTIONS = "rejections", "appends that were refused"
    ENGINES = "engines", "other engines that are away"


WHOLE_INSTALLATION = (What.DISK.value, What.REJECTIONS.value, What.ENGINES.value)
OF_A_STREAM = (What.SILENT_PRODUCER.value,)


class AlertChannel(Owned):
    """Where alerts are sent. Its owner's rules may use it, and if that is a team its members' rules."""

    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=8, choices=ChannelKind)
    # An address of the web, which may hold secrets and is never shown whole; or of e-mail.
    target = models.CharField(max_length=2000)
    # A webhook's secret is made from it and kept nowhere (ADR 0029).
    secret_seed = models.BinaryField(max_length=24, null=True, editable=False)
    # Of the secret: enough to notice that another one would be made, and no help in guessing it.
    secret_mark = models.CharField(max_length=8, blank=True, default="", editable=False)
    # Tries in a row that failed: the next one waits the longer.
    failed_in_row = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "alert channel"
        ordering = ("pk",)
        constraints = (
            *Owned.Meta.constraints,
            models.CheckConstraint(
                condition=Q(kind="webhook", secret_seed__isnull=False)
                | (~Q(kind="webhook") & Q(secret_seed__isnull=True)),
                name="alertchannel_signs_exactly_if_a_webhook",
            ),
            models.CheckConstraint(condition=~Q(target=""), name="alertchannel_leads_somewhere"),
        )

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class AlertRule(Owned):
    """What is watched, from when on somebody is told, and where.

    Of a group or a stream, or of all those that its owner may see when it is looked at; or of the installation.
    """

    what = models.CharField(max_length=16, choices=What)
    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    group = models.ForeignKey(ConsumerGroup, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    threshold = models.BigIntegerField()
    for_seconds = models.PositiveIntegerField(default=0)
    # 0: told once.
    repeat_seconds = models.PositiveIntegerField(default=0)
    is_paused = models.BooleanField("paused", default=False)
    # Why nothing is watched, if so: a right was revoked, or there is nowhere to send to.
    stopped = models.CharField(max_length=16, blank=True, default="", editable=False)
    channels = models.ManyToManyField(AlertChannel, related_name="rules")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "alert rule"
        ordering = ("pk",)
        constraints = (
            *Owned.Meta.constraints,
            models.CheckConstraint(condition=Q(threshold__gte=0), name="alertrule_threshold_not_negative"),
            models.CheckConstraint(
                condition=Q(group__isnull=True) | Q(stream__isnull=False), name="alertrule_a_group_has_its_stream"
            ),
            models.CheckConstraint(
                condition=~Q(what__in=WHOLE_INSTALLATION) | Q(stream__isnull=True),
                name="alertrule_the_installation_is_no_stream",
            ),
            models.CheckConstraint(
                condition=~Q(what__in=OF_A_STREAM) | Q(group__isnull=True), name="alertrule_a_stream_is_no_group"
            ),
        )

    def __str__(self) -> str:
        place = "/".join(str(part) for part in (self.stream, self.group) if part) or "all"
        return f"{self.what} of {place} from {self.threshold}"


class AlertState(models.TextChoices):
    """
    ```
    pending ──> firing ──> resolved
       │           └─────> stopped (nobody may look any more, or wants to: nobody is told)
       └──> gone, without a trace
    ```
    """

    PENDING = "pending", "pending: not yet for as long as the rule says"
    FIRING = "firing", "firing"
    RESOLVED = "resolved", "resolved"
    STOPPED = "stopped", "stopped: no longer watched"


class Alert(models.Model):
    """That a rule found something: of one group or stream, from when until when. At most one is open for each."""

    rule = models.ForeignKey(AlertRule, on_delete=models.CASCADE, related_name="alerts", db_index=False)
    # The group's or the stream's id, 0 for the installation; and its name as it was.
    subject_id = models.BigIntegerField()
    subject = models.CharField(max_length=260, blank=True)
    state = models.CharField(max_length=8, choices=AlertState)
    # The number as it was seen last.
    value = models.FloatField()
    began_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    repeat_count = models.PositiveIntegerField(default=0)
    last_told_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=["rule", "-id"], name="alert_of_rule"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="alert_by_age"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["rule", "subject_id"], condition=Q(ended_at__isnull=True), name="alert_one_open_for_a_subject"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "firing"], ended_at__isnull=True)
                | Q(state__in=["resolved", "stopped"], ended_at__isnull=False),
                name="alert_has_ended_exactly_when_not_open",
            ),
            models.CheckConstraint(
                condition=Q(state="pending", fired_at__isnull=True) | (~Q(state="pending") & Q(fired_at__isnull=False)),
                name="alert_has_fired_unless_pending",
            ),
        )

    def __str__(self) -> str:
        return f"{self.subject} {self.state}"


class Occasion(models.TextChoices):
    FIRED = "fired", "fired"
    REPEATED = "repeated", "repeated"
    RESOLVED = "resolved", "resolved"
    TEST = "test", "test"


class NotificationStatus(models.TextChoices):
    WAITING = "waiting", "waiting: to be sent, or sent again"
    SENT = "sent", "sent"
    FAILED = "failed", "failed: given up"


class AlertNotification(models.Model):
    """One message to one channel, written with what it tells of: it is sent until it arrives, or for a day.

    Whoever sends it takes it for a minute; was it killed before it could say how that went, it is sent again, under
    the same id.
    """

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="notifications", db_index=False)
    # None: a test.
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, null=True, related_name="notifications", db_index=False)
    occasion = models.CharField(max_length=8, choices=Occasion)
    # Which repetition it is.
    number = models.PositiveIntegerField(default=0)
    # By which receivers tell a message that comes twice.
    message_id = models.CharField(max_length=40, unique=True, editable=False)
    content = models.JSONField()
    status = models.CharField(max_length=7, choices=NotificationStatus, default=NotificationStatus.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "alert notification"
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=["next_attempt_at"], condition=Q(status="waiting"), name="alertnotification_due"),
            models.Index(fields=["channel", "-id"], name="alertnotification_of_channel"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="alertnotification_by_age"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["alert", "channel", "occasion", "number"], name="alertnotification_once_for_each_occasion"
            ),
            models.CheckConstraint(
                condition=Q(occasion="test", alert__isnull=True) | (~Q(occasion="test") & Q(alert__isnull=False)),
                name="alertnotification_tells_of_an_alert_or_tests",
            ),
            models.CheckConstraint(
                condition=Q(status="waiting", ended_at__isnull=True)
                | (~Q(status="waiting") & Q(ended_at__isnull=False)),
                name="alertnotification_has_ended_exactly_when_not_waiting",
            ),
        )

    def __str__(self) -> str:
        return f"{self.occasion} {self.message_id} {self.status}"
