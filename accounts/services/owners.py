"""Giving a thing to another owner."""

from collections.abc import Mapping
from typing import Any, Final

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.models import Owned
from accounts.principals import Principal
from accounts.queries import find_owner

_OWNER_FIELDS: Final = {"owner", "owner_id", "owner_team", "owner_team_id"}


def new_owner_of(thing: Owned, *, name: str, caller: Caller) -> dict[str, int | None]:
    """Return the fields that give a thing to the user or the team of that name.

    Raises:
        ScopeMissing: the caller does not own it, or may not name this one.
        UserNotFound, UnknownTeam
    """
    if not caller.is_admin and not thing.owned_by.includes(caller):
        raise ScopeMissing(f"{thing} belongs to somebody else: its owner and admins can give it away.")
    owner = find_owner(caller, name)
    return {"owner_id": owner.user_id, "owner_team_id": owner.team_id}


def owner_by_name(
    before: Mapping[str, Any], after: Mapping[str, Any], *, was: str, now: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a change as the audit trail tells it: its owner by name, whichever fields say it.

    Args:
        was, now: `owner_name` before and after it.
    """
    if was == now:
        return dict(before), dict(after)
    rest = [{name: value for name, value in each.items() if name not in _OWNER_FIELDS} for each in (before, after)]
    return {**rest[0], "owner": was}, {**rest[1], "owner": now}


def owner_to_come(thing: Owned, changes: Mapping[str, Any]) -> Principal | None:
    """Return to whom these changes of its fields give a thing; None: it stays with whom the database has it."""
    if not changes.keys() & _OWNER_FIELDS:
        return None
    # Not as it was loaded: a form has changed that already.
    rows: Any = type(thing).objects.filter(pk=thing.pk)  # type: ignore[attr-defined]
    user_id, team_id = rows.values_list("owner_id", "owner_team_id").first() or (None, None)
    to_come = Principal(
        user_id=_id_in(changes, "owner", otherwise=user_id), team_id=_id_in(changes, "owner_team", otherwise=team_id)
    )
    return None if to_come == Principal(user_id=user_id, team_id=team_id) else to_come


def _id_in(changes: Mapping[str, Any], name: str, *, otherwise: int | None) -> int | None:
    """What a field will refer to: a form names the object, everybody else its id."""
    if name in changes:
        return getattr(changes[name], "pk", None)
    return changes.get(f"{name}_id", otherwise)
