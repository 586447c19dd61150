"""Which dead letters are meant, and looking through them: by what an index knows, and by text, a piece at a time.

A text is compared as it reads, capitals or not, which no index of PostgreSQL does in every locale. So one look goes
through a bounded number of dead letters, and says how far it has come and from where to go on.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from consumers.models import DeadLetter
from streams.folding import fold

_MOMENTS = ("since", "until")
# What a dead letter shows of its event, and what its consumer said.
_TEXTS = ("last_error", "event_type", "event_id", "event_key")


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; what is None does not matter. `since` is included, `until` is not.

    Attributes:
        text: occurs in the last error, or in the event's type, id or key, in any mixture of upper and lower case.
    """

    stream: str | None = None
    group: str | None = None
    status: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    type: str | None = None
    fingerprint: str | None = None
    text: str | None = None
    ids: tuple[int, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what was asked for, to be kept."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Self:
        """Return what `as_json` kept."""
        moments: dict[str, Any] = {name: datetime.fromisoformat(kept[name]) for name in _MOMENTS if name in kept}
        return cls(**(kept | moments))


class Sighting(NamedTuple):
    """A dead letter that matches, with what is counted of it."""

    id: int
    group_id: int
    fingerprint: str
    has_event: bool


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found.

    Attributes:
        found: those that match, in the order of the look.
        reached: the last that was looked at; None if there was none.
        looked_at: how many were looked at, those that do not have the text included.
        is_end: nothing is left to look at.
    """

    found: Sequence[Sighting]
    reached: int | None
    looked_at: int
    is_end: bool

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.found]


def look_through(
    dead_letters: QuerySet[DeadLetter],
    wanted: DeadLetterFilter,
    *,
    most_found: int,
    most_looked_at: int,
) -> Look:
    """Look for those that match, in the order that they have.

    Args:
        dead_letters: ordered by their id, one way or the other; of the groups that are meant.
        most_looked_at: where a text is looked for, how many may be looked at in vain.
    """
    has_event = ExpressionWrapper(Q(event__isnull=False), output_field=BooleanField())
    columns: tuple[Any, ...] = ("pk", "group_id", "error_fingerprint", has_event)
    matching = narrow(dead_letters, wanted).select_related(None).prefetch_related(None)
    if wanted.text is None:
        rows = list(matching.values_list(*columns)[: most_found + 1])
        found = list(map(Sighting._make, rows[:most_found]))
        return Look(found, found[-1].id if found else None, len(found), len(rows) <= most_found)
    needle = fold(wanted.text)
    rows = list(matching.values_list(*columns, *_TEXTS)[: most_looked_at + 1])
    found, looked_at = [], 0
    for row in rows[:most_looked_at]:
        if len(found) == most_found:
            break
        looked_at += 1
        if any(needle in fold(text) for text in row[len(columns) :]):
            found.append(Sighting._make(row[: len(columns)]))
    reached = rows[looked_at - 1][0] if looked_at else None
    return Look(found, reached, looked_at, looked_at == len(rows))


def narrow(dead_letters: QuerySet[DeadLetter], wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    """Narrow dead letters down by all but the text; stream and group are chosen with their groups."""
    conditions: dict[str, Any] = {
        "status": wanted.status,
        "reason": wanted.reason,
        "created_at__gte": wanted.since,
        "created_at__lt": wanted.until,
        "event_type": wanted.type,
        "error_fingerprint": wanted.fingerprint,
        "pk__in": wanted.ids,
    }
    return dead_letters.filter(**{name: value for name, value in conditions.items() if value is not None})
