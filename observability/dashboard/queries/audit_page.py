"""Entries of the audit trail as the page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.models import AuditEntry


@dataclass(frozen=True, slots=True)
class Change:
    """One field with what it was and what it became, in words; None where nothing is told of it."""

    field: str
    before: str | None
    after: str | None


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
        changes=changes_between(entry.before or {}, entry.after or {}),
    )


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return what is to be told, in order. What a new thing does not have is no change."""
    fields = [*before, *(name for name in after if name not in before)]
    return tuple(
        Change(
            name.replace("_", " "),
            in_words(before[name]) if name in before else None,
            in_words(after[name]) if name in after else None,
        )
        for name in fields
        if name in before or after[name] not in (None, "", [], {})
    )


def in_words(value: Any) -> str:
    """Return a value of JSON as people write it."""
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(in_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {in_words(each)}" for name, each in value.items())
    return str(value)
