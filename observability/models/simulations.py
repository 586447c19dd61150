"""Simulations: what is to be sent, how far it has come. All of their state is here; Celery gives only the tick."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.request_ids import MAX_REQUEST_ID_CHARACTERS
from streams.models import Stream


class SimulationState(models.TextChoices):
    RUNNING = "running", "running"
    FINISHED = "finished", "finished"
    STOPPED = "stopped", "stopped"
    FAILED = "failed", "failed"


class SimulationRun(models.Model):
    """Made-up events for one stream: `rate_per_second` of them until `planned_count` are sent.

    ```
    running ──> finished | stopped (by somebody) | failed (`failure` says why)
    ```
    """

    stream = models.ForeignKey(Stream, on_delete=models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    # Whoever drives it logs under the id of the request that started it.
    request_id = models.CharField(max_length=MAX_REQUEST_ID_CHARACTERS, blank=True, default="", db_default="")
    event_type = models.CharField(max_length=128)
    key_template = models.CharField(max_length=512, blank=True, default="")
    payload_template = models.TextField()
    rate_per_second = models.PositiveIntegerField()
    planned_count = models.PositiveIntegerField()
    bad_percent = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=SimulationState, default=SimulationState.RUNNING)
    sent_count = models.PositiveIntegerField(default=0)
    bad_count = models.PositiveIntegerField(default=0)
    failure = models.CharField(max_length=400, blank=True, default="")
    started_at = models.DateTimeField()
    last_sent_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "observability"
        verbose_name = "simulation"
        ordering = ("-id",)
        indexes = (models.Index(fields=["id"], condition=Q(state="running"), name="simulation_running"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(sent_count__lte=F("planned_count")), name="simulation_sends_no_more_than_planned"
            ),
            models.CheckConstraint(condition=Q(bad_count__lte=F("sent_count")), name="simulation_bad_events_were_sent"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True) | (~Q(state="running") & Q(ended_at__isnull=False)),
                name="simulation_has_ended_exactly_when_not_running",
            ),
        )

    def __str__(self) -> str:
        return f"{self.stream_id}: {self.sent_count}/{self.planned_count}"
