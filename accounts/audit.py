"""The audit trail: who did what, to what, from where. The database itself lets nobody change or delete an entry."""

from django.db import models
from django.db.models.functions import Now

from accounts.audit_actions import AuditAction


class AuditEntry(models.Model):
    """One act, written in the transaction that did it: both are there, or neither.

    Things are named as they were called then, and by their ids: a stream that is made later under the same name is
    another one. There are no foreign keys, so an entry outlives what it tells of.
    """

    at = models.DateTimeField(db_default=Now())
    action = models.CharField(max_length=64, choices=[(action.value, action.value) for action in AuditAction])
    # `user:…`, `key:…`, or `system` for what no request asked for; and the e-mail address behind it.
    actor = models.CharField(max_length=64)
    actor_email = models.CharField(max_length=254, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=128, blank=True)
    stream_id = models.BigIntegerField(null=True)
    stream = models.CharField(max_length=128, blank=True)
    group_id = models.BigIntegerField(null=True)
    group = models.CharField(max_length=128, blank=True)
    # What else was acted on: a user, a key, a team, a grantee, dead letters.
    target = models.CharField(max_length=300, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    was_refused = models.BooleanField(default=False)

    class Meta:
        verbose_name_plural = "audit trail"
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=["stream_id", "-id"], name="auditentry_stream"),
            models.Index(fields=["actor_email", "-id"], name="auditentry_actor"),
            models.Index(fields=["at"], name="auditentry_at"),
        )

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} by {self.actor_email or self.actor}"
