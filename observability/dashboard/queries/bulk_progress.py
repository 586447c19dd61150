"""Redrives and discards of many dead letters as the page shows them: what was asked, by whom, how far it has come."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q

from accounts.caller import Caller
from consumers.bulk_action_queries import list_bulk_actions_on
from consumers.dead_letter_search import DeadLetterFilter
from consumers.models import BulkAction
from consumers.states import BulkStatus
from observability.dashboard.queries.caller_names import names_of_callers
from observability.dashboard.queries.dead_letter_list import DeadLetterGroups

SHOWN_ACTIONS = 10
SHOWN_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """One of them; `left_seconds` is None where nobody can say."""

    id: int
    kind: str
    status: str
    conditions: Sequence[tuple[str, str]]
    note: str
    requested_by: str
    cancelled_by: str
    done_count: int
    total_count: int
    is_total_exact: bool
    per_second: int | None
    left_seconds: float | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_running(self) -> bool:
        return self.status == BulkStatus.RUNNING


def list_bulk_progress(caller: Caller, groups: DeadLetterGroups, *, now: datetime) -> list[BulkProgress]:
    """Return those that the caller may cancel and that are under way or ended within a day, running ones first."""
    recent = Q(finished_at__isnull=True) | Q(finished_at__gte=now - SHOWN_FOR)
    order = (F("finished_at").desc(nulls_first=True), "-pk")
    found = list(list_bulk_actions_on(caller, sorted(groups.managed)).filter(recent).order_by(*order)[:SHOWN_ACTIONS])
    names = names_of_callers([reference for each in found for reference in (each.requested_by, each.cancelled_by)])
    return [
        BulkProgress(
            id=each.pk,
            kind=each.kind,
            status=each.status,
            conditions=_conditions_of(each),
            note=each.note,
            requested_by=names.get(each.requested_by, ""),
            cancelled_by=names.get(each.cancelled_by, ""),
            done_count=each.done_count,
            # More than were counted may have matched, and less may be left of them.
            total_count=max(each.total_count, each.done_count),
            is_total_exact=each.is_total_exact,
            per_second=each.per_second,
            left_seconds=_left_seconds(each),
            created_at=each.created_at,
            finished_at=each.finished_at,
        )
        for each in found
    ]


def _conditions_of(action: BulkAction) -> list[tuple[str, str]]:
    asked = asdict(DeadLetterFilter.from_json(action.filter))
    return [(name, _in_words(value)) for name, value in asked.items() if value is not None and name != "status"]


def _in_words(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return f"{len(value):,} chosen" if isinstance(value, list) else str(value) or "none"


def _left_seconds(action: BulkAction) -> float | None:
    if action.per_second is None or not action.is_total_exact or action.status != BulkStatus.RUNNING:
        return None
    return max(0, action.total_count - action.done_count) / action.per_second
