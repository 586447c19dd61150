"""Writing the audit trail."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder

from accounts.acting import current_actor
from accounts.audit_actions import AuditAction
from accounts.models import AuditEntry, User
from accounts.request_ids import current_request_id

MAX_VALUE_CHARACTERS = 2_000


def record(
    action: AuditAction,
    *,
    stream: tuple[int, str] | None = None,
    group: tuple[int, str] | None = None,
    target: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    was_refused: bool = False,
    by: User | None = None,
) -> None:
    """Add an entry, in the transaction of the act; who acts and from where is known from the request.

    Args:
        stream, group: id and name.
        before, after: what was changed, by field; never a secret.
        by: who acts, where that is known only now: they sign in.
    """
    actor = current_actor()
    if by is not None:
        actor = replace(actor, reference=f"user:{by.pk}", email=by.email)
    AuditEntry.objects.create(
        action=action,
        actor=actor.reference,
        actor_email=actor.email,
        address=actor.address,
        request_id=current_request_id(),
        stream_id=stream[0] if stream else None,
        stream=stream[1] if stream else "",
        group_id=group[0] if group else None,
        group=group[1] if group else "",
        target=target[:300],
        before=_plain(before),
        after=_plain(after),
        was_refused=was_refused,
    )


def changed(thing: Any, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a change of fields replaces and what it puts there, for those that differ; before they are set."""
    before = {name: getattr(thing, name) for name in changes}
    differing = [name for name in changes if before[name] != changes[name]]
    return {name: before[name] for name in differing}, {name: changes[name] for name in differing}


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: _short(value) for name, value in values.items()}


def _short(value: Any) -> Any:
    """The value as JSON has it; what has no such form as text, and what is long only in its beginning."""
    text = json.dumps(value, cls=_Encoder)
    return json.loads(text) if len(text) <= MAX_VALUE_CHARACTERS else f"{text[:MAX_VALUE_CHARACTERS]}…"


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        return str(o) if hasattr(o, "pk") else super().default(o)
