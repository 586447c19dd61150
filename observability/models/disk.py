"""How full the disk was on which the log is."""

from django.db import models
from django.db.models import Q


class DiskSample(models.Model):
    """What was used of the disk in a period of ten minutes, as last measured in it, and what that foretold."""

    period = models.DateTimeField(primary_key=True)
    measured_at = models.DateTimeField()
    used_bytes = models.BigIntegerField()
    capacity_bytes = models.BigIntegerField()
    # None: not within a year at the rate of the last day, or measured for too short a time to tell.
    full_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = "disk sample"
        constraints = (
            models.CheckConstraint(condition=Q(used_bytes__gte=0), name="disksample_used_not_negative"),
            models.CheckConstraint(condition=Q(capacity_bytes__gt=0), name="disksample_capacity_is_known"),
        )

    def __str__(self) -> str:
        return f"{self.measured_at:%F %T} {self.used_bytes}/{self.capacity_bytes}"
