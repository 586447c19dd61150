"""Questions about dead letters."""

from collections.abc import Iterable, Sequence

from django.db.models import Count, QuerySet

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.row_ids import row_id_in
from consumers.access import GroupRight, check_group_right, check_may_edit_payloads
from consumers.dead_letter_search import DeadLetterFilter
from consumers.errors import DeadLetterNotFound
from consumers.models import ConsumerGroup, DeadLetter
from consumers.queries import GroupIds, list_visible_groups, rights_on_loaded
from consumers.states import DeadLetterStatus
from streams.queries import rights_on_row


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


def list_dead_letters_of(groups: Iterable[ConsumerGroup]) -> QuerySet[DeadLetter]:
    """All dead letters of these groups, with what lists show of them: not their events."""
    return (
        DeadLetter.objects.filter(group_id__in=[group.pk for group in groups])
        .select_related("group__stream", "partition")
        .defer("event")
    )


def list_dead_letters_of_event(caller: Caller, event_id: str) -> QuerySet[DeadLetter]:
    """The dead letters of events with this id, of all groups that the caller may see, newest first."""
    groups = list_groups_for_dead_letters(caller, DeadLetterFilter()).values("pk")
    letters = DeadLetter.objects.filter(event_id=event_id, group_id__in=groups).exclude(event_id="")
    return letters.select_related("group__stream").defer("event").order_by("-pk")


def list_selected_dead_letters(caller: Caller, ids: Sequence[int]) -> list[DeadLetter]:
    """Those that were picked one by one, of groups that the caller may manage.

    Raises:
        ScopeMissing: the caller sees some groups, but manages none of them.
    """
    managed = list_managed_groups(caller, DeadLetterFilter())
    return list(list_dead_letters_of(managed).filter(pk__in=ids).order_by("pk"))


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
    number = row_id_in(dead_letter_id)
    if number is None:
        raise DeadLetterNotFound
    found = (
        DeadLetter.objects.filter(pk=number, group__in=list_visible_groups(caller).prefetch_related(None))
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
