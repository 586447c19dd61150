"""Refusing a change that was made for another version than there is."""

from collections.abc import Collection
from typing import Final, Protocol

from accounts.audit_actions import AuditAction
from accounts.errors import LastChange, PreconditionFailed
from accounts.models import AuditEntry

_CHANGES: Final = (AuditAction.STREAM_CHANGED, AuditAction.GROUP_CHANGED)


class Versioned(Protocol):
    """What has settings that several may change."""

    @property
    def version(self) -> str: ...


def check_version(
    thing: Versioned, expected: Collection[str] | None, *, stream_id: int | None = None, group_id: int | None = None
) -> None:
    """Refuse unless the thing has one of the versions that were expected; None: any will do.

    Whoever changes it then holds its row already: what is checked before that may have changed when it is written.

    Args:
        stream_id, group_id: by which the audit trail knows its last change.

    Raises:
        PreconditionFailed
    """
    if expected is None or thing.version in expected:
        return
    raise PreconditionFailed(str(thing), version=thing.version, last_change=_last_change(stream_id, group_id))


def _last_change(stream_id: int | None, group_id: int | None) -> LastChange | None:
    if stream_id is None:
        return None
    entries = AuditEntry.objects.filter(stream_id=stream_id, group_id=group_id, action__in=_CHANGES)
    last = entries.order_by("-pk").first()
    if last is None:
        return None
    return LastChange((last.actor_email or last.actor)[:60], tuple(sorted(last.after or ())), last.at)
