"""Redriving or discarding many dead letters at once: counted first, done in bounded steps, never half of a step."""

import logging
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, transaction
from django.db.models import Count, Max, Min, QuerySet
from django.db.models.functions import Now

from accounts.request_ids import current_request_id, on_behalf_of
from consumers.conf import (
    BULK_INLINE_DEAD_LETTERS,
    BULK_STEP_DEAD_LETTERS,
    BULK_STEP_LOOKED_AT,
    SEARCH_DEAD_LETTERS,
)
from consumers.dead_letter_search import DeadLetterFilter, look_through, narrow
from consumers.models import BulkAction, BulkKind, ConsumerGroup, DeadLetter
from consumers.pace import next_after, turn_at
from consumers.services.dead_letters.audit import record_bulk_action
from consumers.services.dead_letters.close import close_dead_letters
from consumers.services.dead_letters.redrive import redrive_dead_letters
from consumers.states import DeadLetterStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """How many dead letters a bulk action would touch, and the first and last moment they are from.

    Attributes:
        is_exact: False where a text is looked for and not all could be looked at: there may be more, older ones.
        newest_id: whatever is newer than this does not match.
    """

    count: int
    is_exact: bool
    first_id: int | None
    last_id: int | None
    first_at: datetime | None
    last_at: datetime | None
    newest_id: int


def preview_bulk_action(*, kind: BulkKind, groups: list[ConsumerGroup], wanted: DeadLetterFilter) -> BulkPreview:
    """Count what a bulk action would touch."""
    able = _able(kind, [group.pk for group in groups])
    if wanted.text is None:
        found = narrow(able, wanted).aggregate(
            count=Count("pk"), first=Min("pk"), last=Max("pk"), first_at=Min("created_at"), last_at=Max("created_at")
        )
        return BulkPreview(
            count=found["count"],
            is_exact=True,
            first_id=found["first"],
            last_id=found["last"],
            first_at=found["first_at"],
            last_at=found["last_at"],
            newest_id=found["last"] or 0,
        )
    most = SEARCH_DEAD_LETTERS
    look = look_through(able.order_by("-pk"), wanted, most_found=most, most_looked_at=most)
    ids = look.ids
    ends = DeadLetter.objects.filter(pk__in=[min(ids), max(ids)] if ids else ())
    moments = list(ends.order_by("pk").values_list("created_at", flat=True))
    return BulkPreview(
        count=len(ids),
        is_exact=look.is_end,
        first_id=min(ids, default=None),
        last_id=max(ids, default=None),
        first_at=moments[0] if moments else None,
        last_at=moments[-1] if moments else None,
        newest_id=max(ids, default=look.reached or 0),
    )


def start_bulk_action(
    *,
    kind: BulkKind,
    groups: list[ConsumerGroup],
    wanted: DeadLetterFilter,
    requested_by: str,
    note: str = "",
    per_second: int | None = None,
) -> BulkAction:
    """Record a bulk action and do it: at once if it is small and in no measured pace, else the worker does it by steps.

    Only what is a dead letter now is touched, and only what is open when its turn comes: doing it twice, or
    beside somebody else's click, is harmless.

    Args:
        groups: those that the caller may act on.
        per_second: how many may go in a second, at most.
    """
    preview = preview_bulk_action(kind=kind, groups=groups, wanted=wanted)
    is_over = preview.is_exact and not preview.count
    with transaction.atomic():
        action = BulkAction.objects.create(
            kind=kind,
            group_ids=[group.pk for group in groups],
            filter=wanted.as_json(),
            note=note,
            requested_by=requested_by,
            request_id=current_request_id(),
            total_count=preview.count,
            is_total_exact=preview.is_exact,
            per_second=per_second,
            next_at=Now() if per_second else None,
            max_id=preview.newest_id,
            created_at=Now(),
            finished_at=Now() if is_over else None,
        )
        record_bulk_action(action, groups)
    if per_second is None and preview.is_exact and preview.count <= BULK_INLINE_DEAD_LETTERS:
        while continue_bulk_action(action_id=action.pk):
            pass
    action.refresh_from_db()
    return action


def continue_bulk_action(*, action_id: int) -> int:
    """Do one step of a bulk action in one transaction; return how many dead letters it looked at, 0 at the end.

    One that somebody else is working on is left to them, and one that goes at a rate waits for its time, by the
    database's clock.
    """
    with transaction.atomic():
        action = (
            BulkAction.objects.select_for_update(skip_locked=True)
            .annotate(now=Now())
            .filter(pk=action_id, finished_at__isnull=True)
            .first()
        )
        if action is None:
            return 0
        turn, room = None, BULK_STEP_DEAD_LETTERS
        if action.per_second is not None and action.next_at is not None:
            turn = turn_at(action.now, next_at=action.next_at, per_second=action.per_second)
            room = min(turn.room, room)
            if not room:
                return 0
        kind = BulkKind(action.kind)
        able = _able(kind, action.group_ids).filter(pk__gt=action.last_id, pk__lte=action.max_id).order_by("pk")
        wanted = DeadLetterFilter.from_json(action.filter)
        look = look_through(able, wanted, most_found=room, most_looked_at=BULK_STEP_LOOKED_AT)
        step = list(DeadLetter.objects.filter(pk__in=look.ids).defer("event").order_by("pk"))
        action.done_count += _do(action, kind, step)
        if look.reached is not None:
            action.last_id = look.reached
        if turn is not None and action.per_second is not None:
            action.next_at = next_after(turn, len(step), per_second=action.per_second)
        if look.is_end:
            action.finished_at = Now()
        action.save(update_fields=["done_count", "last_id", "next_at", "finished_at"])
    with on_behalf_of(action.request_id):
        counts = {"bulk_action": action.pk, "done": action.done_count, "total": action.total_count}
        logger.info("bulk %s went on", kind.value, extra=counts)
    return look.looked_at


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


def _able(kind: BulkKind, group_ids: list[int]) -> QuerySet[DeadLetter]:
    """Those of the groups that can be redriven, or discarded."""
    able = DeadLetter.objects.filter(group_id__in=group_ids, status=DeadLetterStatus.OPEN)
    if kind is BulkKind.REDRIVE:
        # An offset-mode group cannot be sent anything, and what retention took is not there to be sent.
        able = able.filter(group__mode="lease", event__isnull=False)
    return able


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
