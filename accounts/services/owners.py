"""Giving a thing to another owner."""

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.models import Owned
from accounts.queries import find_owner


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
