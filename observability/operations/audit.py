"""Who may look at which part of the audit trail."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat

from accounts.caller import Caller
from accounts.models import ApiKey, AuditEntry
from accounts.roles import Right
from consumers.queries import list_managed_groups
from streams.visible import list_streams


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What is looked for; empty: everything.

    Attributes:
        actor: an e-mail address, or a reference (`key:…`, `user:…`).
        since, until: from the first, before the second.
    """

    actor: str = ""
    action: str = ""
    stream: str = ""
    group: str = ""
    since: datetime | None = None
    until: datetime | None = None


def list_audit_entries(caller: Caller, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """Return what the caller may know of, newest first.

    An admin sees all; who manages a stream or a group, what was done with it; and everybody what they did themselves.
    By id, not by name: a stream that had the same name before was another one.
    """
    entries = AuditEntry.objects.order_by("-pk")
    if not caller.sees_everybody:
        streams = list_streams(caller, Right.MANAGE).prefetch_related(None).select_related(None)
        entries = entries.filter(
            Q(stream_id__in=streams.values("pk"))
            | Q(group_id__in=list_managed_groups(caller).values("pk"))
            | _done_by(caller)
        )
    if wanted.actor:
        entries = entries.filter(Q(actor_email=wanted.actor.lower()) | Q(actor=wanted.actor))
    conditions = {
        "action": wanted.action,
        "stream": wanted.stream,
        "group": wanted.group,
        "at__gte": wanted.since,
        "at__lt": wanted.until,
    }
    return entries.filter(**{name: value for name, value in conditions.items() if value})


def _done_by(caller: Caller) -> Q:
    """What a key did, or a person with all their keys."""
    if caller.key_id is not None:
        return Q(actor=caller.reference)
    keys = ApiKey.objects.filter(user_id=caller.user_id).values_list(Concat(Value("key:"), "key_id"))
    # The address finds them fast; by itself it may have been somebody else's.
    return Q(actor_email=caller.email) & (Q(actor=caller.reference) | Q(actor__in=keys))
