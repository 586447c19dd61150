"""Questions about redrives and discards of many dead letters."""

from django.db.models import Q, QuerySet

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.row_ids import row_id_in
from consumers.dead_letter_queries import list_managed_groups
from consumers.dead_letter_search import DeadLetterFilter
from consumers.errors import BulkActionNotFound
from consumers.models import BulkAction


def list_bulk_actions(caller: Caller) -> QuerySet[BulkAction]:
    """The bulk actions that the caller asked for, and those on groups all of which they manage; an admin sees all.

    Whoever sees one may cancel it.
    """
    if caller.sees_everybody:
        return BulkAction.objects.all()
    try:
        managed = [group.pk for group in list_managed_groups(caller, DeadLetterFilter())]
    except ScopeMissing:
        managed = []
    return list_bulk_actions_on(caller, managed)


def list_bulk_actions_on(caller: Caller, managed: list[int]) -> QuerySet[BulkAction]:
    """The same, for a caller who is known to manage these groups and no others."""
    if caller.sees_everybody:
        return BulkAction.objects.all()
    # One that is about no group would be about managed ones only.
    on_managed = Q(group_ids__contained_by=managed) & ~Q(group_ids=[])
    return BulkAction.objects.filter(Q(requested_by=caller.reference) | on_managed)


def get_bulk_action(caller: Caller, action_id: str) -> BulkAction:
    """Return a bulk action that the caller may see, and so may cancel.

    Raises:
        BulkActionNotFound
    """
    number = row_id_in(action_id)
    found = list_bulk_actions(caller).filter(pk=number).first() if number is not None else None
    if found is None:
        raise BulkActionNotFound
    return found
