"""Redriving or discarding many dead letters at once: counted first, done in bounded steps, never half of a step."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Now

from accounts.request_ids import current_request_id, on_behalf_of
from consumers.conf import BULK_INLINE_DEAD_LETTERS, BULK_STEP_DEAD_LETTERS
from consumers.dead_letter_queries import DeadLetterFilter, filter_dead_letters
from consumers.models import BulkAction, BulkKind, ConsumerGroup, DeadLetter
from consumers.services.dead_letters.audit import record_bulk_action
from consumers.services.dead_letters.close import close_dead_letters
from consumers.services.dead_letters.redrive import redrive_dead_letters
from consumers.states import DeadLetterStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """How many dead letters a bulk action would touch, and the first and last moment they are from."""

    count: int
    first_id: int | None
    last_id: int | None
    first_at: datetime | None
    last_at: datetime | None


def preview_bulk_action(*, kind: BulkKind, groups: list[ConsumerGroup], wanted: DeadLetterFilter) -> BulkPreview:
    """Count what a bulk action would touch, in one query."""
    found = _matching(kind, [group.pk for group in groups], wanted).aggregate(
        count=Count("pk"), first=Min("pk"), last=Max("pk"), first_at=Min("created_at"), last_at=Max("created_at")
    )
    return BulkPreview(found["count"], found["first"], found["last"], found["first_at"], found["last_at"])


def start_bulk_action(
    *, kind: BulkKind, groups: list[ConsumerGroup], wanted: DeadLetterFilter, requested_by: str, note: str = ""
) -> BulkAction:
    """Record a bulk action and do it: at once if it is small, else the reconciler does it step by step.

    Only what is a dead letter now is touched, and only what is open when its turn comes: doing it twice, or
    beside somebody else's click, is harmless.

    Args:
        groups: those that the caller may act on.
    """
    preview = preview_bulk_action(kind=kind, groups=groups, wanted=wanted)
    with transaction.atomic():
        action = BulkAction.objects.create(
            kind=kind,
            group_ids=[group.pk for group in groups],
            filter=wanted.as_json(),
            note=note,
            requested_by=requested_by,
            request_id=current_request_id(),
            total_count=preview.count,
            max_id=preview.last_id or 0,
            created_at=Now(),
            finished_at=None if preview.count else Now(),
        )
        record_bulk_action(action, groups)
    if 0 < preview.count <= BULK_INLINE_DEAD_LETTERS:
        while continue_bulk_action(action_id=action.pk):
            pass
    action.refresh_from_db()
    return action


def continue_bulk_action(*, action_id: int) -> int:
    """Do one step of a bulk action in one transaction; return how many dead letters it looked at, 0 at the end.

    One that somebody else is working on is left to them.
    """
    with transaction.atomic():
        action = (
            BulkAction.objects.select_for_update(skip_locked=True)
            .filter(pk=action_id, finished_at__isnull=True)
            .first()
        )
        if action is None:
            return 0
        kind = BulkKind(action.kind)
        wanted = DeadLetterFilter.from_json(action.filter)
        matching = _matching(kind, action.group_ids, wanted).filter(pk__gt=action.last_id, pk__lte=action.max_id)
        step = list(matching.defer("event").order_by("pk")[:BULK_STEP_DEAD_LETTERS])
        action.done_count += _do(action, kind, step)
        if step:
            action.last_id = step[-1].pk
        if len(step) < BULK_STEP_DEAD_LETTERS:
            action.finished_at = Now()
        action.save(update_fields=["done_count", "last_id", "finished_at"])
    with on_behalf_of(action.request_id):
        counts = {"bulk_action": action.pk, "done": action.done_count, "total": action.total_count}
        logger.info("bulk %s went on", kind.value, extra=counts)
    return len(step)


def continue_bulk_actions() -> int:
    """Do one step of each bulk action that is under way; return how many dead letters they looked at.

    One in trouble does not keep the others waiting.
    """
    unfinished = BulkAction.objects.filter(finished_at__isnull=True).order_by("pk").values_list("pk", flat=True)
    total = 0
    for pk in list(unfinished):
        try:
            total += continue_bulk_action(action_id=pk)
        except DatabaseError:
            logger.exception("the bulk action %s could not go on", pk)
    return total


def _matching(kind: BulkKind, group_ids: list[int], wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    matching = filter_dead_letters(DeadLetter.objects.filter(group_id__in=group_ids), wanted)
    matching = matching.filter(status=DeadLetterStatus.OPEN)
    if kind is BulkKind.REDRIVE:
        # An offset-mode group cannot be sent anything, and what retention took is not there to be sent.
        matching = matching.filter(group__mode="lease", event__isnull=False)
    return matching


def _do(action: BulkAction, kind: BulkKind, step: list[DeadLetter]) -> int:
    by_group: dict[int, list[DeadLetter]] = {}
    for dead_letter in step:
        by_group.setdefault(dead_letter.group_id, []).append(dead_letter)
    groups = ConsumerGroup.objects.select_related("stream").in_bulk(list(by_group))
    done = 0
    # A group that was deleted a moment ago took its dead letters with it.
    for group_id, group in sorted(groups.items()):
        own = by_group[group_id]
        if kind is BulkKind.REDRIVE:
            done += len(
                redrive_dead_letters(
                    group=group,
                    dead_letters=own,
                    requested_by=action.requested_by,
                    note=action.note,
                    bulk_action_id=action.pk,
                )
            )
            continue
        done += close_dead_letters(
            group=group,
            dead_letters=own,
            status=DeadLetterStatus.DISCARDED,
            requested_by=action.requested_by,
            note=action.note,
        )
    return done
