"""What the audit trail says of acts on dead letters."""

from collections.abc import Sequence

from accounts.audit_actions import AuditAction
from accounts.services.audit import record
from consumers.models import BulkAction, BulkKind, ConsumerGroup, DeadLetter

MAX_IDS = 100
_OF_BULK = {
    BulkKind.REDRIVE: AuditAction.DEAD_LETTERS_REDRIVEN,
    BulkKind.DISCARD: AuditAction.DEAD_LETTERS_DISCARDED,
}


def record_dead_letters(
    action: AuditAction,
    group: ConsumerGroup,
    dead_letters: Sequence[DeadLetter],
    *,
    note: str = "",
    was_edited: bool = False,
) -> None:
    """Record what somebody did with some dead letters of one group."""
    ids = [each.pk for each in dead_letters]
    record(
        action,
        stream=(group.stream_id, group.stream.name),
        group=(group.pk, group.name),
        target=f"dead letter {ids[0]}" if len(ids) == 1 else f"{len(ids)} dead letters",
        after={"ids": ids[:MAX_IDS], "note": note} | ({"payload": "edited"} if was_edited else {}),
    )


def record_bulk_action(action: BulkAction, groups: Sequence[ConsumerGroup]) -> None:
    """Record that somebody asked for an act on many dead letters; its steps are its own business."""
    one = groups[0] if len(groups) == 1 else None
    record(
        _OF_BULK[BulkKind(action.kind)],
        stream=(one.stream_id, one.stream.name) if one else None,
        group=(one.pk, one.name) if one else None,
        target=f"{action.total_count} dead letters",
        after={
            "bulk_action": action.pk,
            "filter": action.filter,
            "note": action.note,
            "per_second": action.per_second,
            "groups": [f"{group.stream.name}/{group.name}" for group in groups[:MAX_IDS]],
        },
    )


def record_cancellation(action: BulkAction) -> None:
    """Record that somebody cancelled what was asked for, and how far it had come."""
    one = None
    if len(action.group_ids) == 1:
        # It may have been deleted meanwhile.
        one = ConsumerGroup.objects.select_related("stream").filter(pk__in=action.group_ids).first()
    record(
        AuditAction.BULK_ACTION_CANCELLED,
        stream=(one.stream_id, one.stream.name) if one else None,
        group=(one.pk, one.name) if one else None,
        target=f"bulk {action.kind} {action.pk}",
        after={
            "requested_by": action.requested_by,
            "done_count": action.done_count,
            "total_count": action.total_count,
        },
    )
