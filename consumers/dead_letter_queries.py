"""Questions about dead letters."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from django.db.models import Count, QuerySet

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from consumers.access import GroupRight, check_group_right, check_may_edit_payloads
from consumers.errors import BulkActionNotFound, DeadLetterNotFound
from consumers.models import BulkAction, ConsumerGroup, DeadLetter
from consumers.queries import GroupIds, list_visible_groups, rights_on_loaded
from consumers.states import DeadLetterStatus
from streams.queries import rights_on_row

# Shorter than the largest bigint, so that PostgreSQL never meets a number that it cannot hold.
_ID = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters; what is None does not matter. `since` is included, `until` is not."""

    stream: str | None = None
    group: str | None = None
    status: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    type: str | None = None
    fingerprint: str | None = None
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
        moments: dict[str, Any] = {
            name: datetime.fromisoformat(kept[name]) for name in ("since", "until") if name in kept
        }
        return cls(**(kept | moments))


def filter_dead_letters(dead_letters: QuerySet[DeadLetter], wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    """Narrow dead letters down; stream and group are chosen by `list_groups_for_dead_letters`."""
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


def list_groups_for_dead_letters(caller: Caller, wanted: DeadLetterFilter) -> QuerySet[ConsumerGroup]:
    """The groups that the caller may see, of the stream and by the name asked for."""
    groups = list_visible_groups(caller).prefetch_related(None)
    if wanted.stream is not None:
        groups = groups.filter(stream__name=wanted.stream)
    if wanted.group is not None:
        groups = groups.filter(name=wanted.group)
    return groups


def list_managed_groups(caller: Caller, wanted: DeadLetterFilter) -> list[ConsumerGroup]:
    """The groups that the caller may manage, of the stream and by the name asked for.

    Raises:
        ScopeMissing: the caller sees some, but manages none of them.
    """
    visible = list(list_groups_for_dead_letters(caller, wanted).prefetch_related("grants", "stream__grants"))
    managed = [group for group in visible if GroupRight.MANAGE in rights_on_loaded(caller, group)]
    if visible and not managed:
        raise ScopeMissing("You may see these dead letters, but you manage none of their groups.")
    return managed


def list_dead_letters(caller: Caller, wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    """The dead letters that the caller may see, without their events."""
    return _list_of(list(list_groups_for_dead_letters(caller, wanted)), wanted)


def list_managed_dead_letters(caller: Caller, wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    """The dead letters that the caller may act on, without their events.

    Raises:
        ScopeMissing: the caller sees some groups, but manages none of them.
    """
    return _list_of(list_managed_groups(caller, wanted), wanted)


def _list_of(groups: list[ConsumerGroup], wanted: DeadLetterFilter) -> QuerySet[DeadLetter]:
    found = (
        DeadLetter.objects.filter(group_id__in=[group.pk for group in groups])
        .select_related("group__stream", "partition")
        .prefetch_related("group__grants", "group__stream__grants")
        .defer("event")
    )
    return filter_dead_letters(found, wanted)


def list_open_dead_letters() -> QuerySet[DeadLetter]:
    """The dead letters that nobody has dealt with, of all groups, in no order."""
    return DeadLetter.objects.filter(status=DeadLetterStatus.OPEN).order_by()


def count_open_dead_letters(group_ids: GroupIds) -> dict[int, int]:
    """Count those of each group, by its id; who has none is not among them."""
    own = list_open_dead_letters().filter(group_id__in=group_ids)
    return dict(own.values_list("group_id").annotate(Count("pk")))


def get_dead_letter(caller: Caller, dead_letter_id: str, right: GroupRight | None = None) -> DeadLetter:
    """Return a dead letter with its event, attempts and redrives, for a caller who has the right to its group.

    Args:
        dead_letter_id: as it stands in an address; what is no id finds nothing.

    Raises:
        DeadLetterNotFound: missing, or of a stream that is hidden from the caller.
        ScopeMissing: the caller may look at it, and no more.
    """
    if not _ID.fullmatch(dead_letter_id):
        raise DeadLetterNotFound
    found = (
        DeadLetter.objects.filter(pk=dead_letter_id, group__in=list_visible_groups(caller).prefetch_related(None))
        .select_related("group__stream", "partition")
        .prefetch_related("attempts", "redrives", "group__stream__grants")
        .first()
    )
    if found is None:
        raise DeadLetterNotFound
    if right is not None:
        check_group_right(rights_on_loaded(caller, found.group), right, name=found.group.name)
    return found


def get_editable_dead_letter(caller: Caller, dead_letter_id: str) -> DeadLetter:
    """Return a dead letter for a caller who may send it again with another payload.

    Raises:
        DeadLetterNotFound, ScopeMissing: as `get_dead_letter`; or they may neither produce to the stream nor manage it.
    """
    found = get_dead_letter(caller, dead_letter_id, GroupRight.MANAGE)
    stream = found.group.stream
    check_may_edit_payloads(rights_on_row(caller, stream), stream=stream.name)
    return found


def get_bulk_action(caller: Caller, action_id: str) -> BulkAction:
    """Return a bulk action of the caller's, or any for an admin.

    Raises:
        BulkActionNotFound
    """
    if not _ID.fullmatch(action_id):
        raise BulkActionNotFound
    actions = BulkAction.objects.filter(pk=action_id)
    found = (actions if caller.sees_everybody else actions.filter(requested_by=caller.reference)).first()
    if found is None:
        raise BulkActionNotFound
    return found
