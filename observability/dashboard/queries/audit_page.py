"""Entries of the audit trail as the page shows them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Change:
    """One field with what it was and what it became; None where there was, or is, nothing."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One act."""

    id: int
    at: datetime
    action: str
    actor: str
    is_key: bool
    key: str
    address: str
    stream: str
    group: str
    target: str
    was_refused: bool
    changes: tuple[Change, ...]


def view_entry(entry: AuditEntry) -> AuditRow:
    """Return an entry as the page shows it."""
    before, after = entry.before or {}, entry.after or {}
    fields = [*before, *(name for name in after if name not in before)]
    kind, _, key = entry.actor.partition(":")
    return AuditRow(
        id=entry.pk,
        at=entry.at,
        action=entry.action,
        actor=entry.actor_email or entry.actor,
        is_key=kind == "key",
        key=key,
        address=entry.address,
        stream=entry.stream,
        group=entry.group,
        target=entry.target,
        was_refused=entry.was_refused,
        changes=tuple(Change(name, before.get(name), after.get(name)) for name in fields),
    )
