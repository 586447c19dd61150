"""What a caller may do with one consumer group, as a pure rule: `role ∩ owner ∩ key`."""

from enum import StrEnum

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.roles import Right


class GroupRight(StrEnum):
    """What can be done with a group; whoever may consume its stream may look at it."""

    USE = "use"
    MANAGE = "manage"


ALL_GROUP_RIGHTS = frozenset(GroupRight)
NO_GROUP_RIGHTS: frozenset[GroupRight] = frozenset()

_DETAILS = {
    GroupRight.USE: "You may see {name}, but not read, lease, commit or ack as this group: its owner can, and who "
    "manages its stream. Make a group of your own.",
    GroupRight.MANAGE: "You may see {name}, but not manage it: its owner can, and who manages its stream.",
}


def rights_on_group(caller: Caller, *, owner_id: int, stream_rights: frozenset[Right]) -> frozenset[GroupRight]:
    """Return the caller's effective rights on a group; an owner who lost the stream has lost the group as well.

    Args:
        stream_rights: the caller's effective rights on the group's stream.
    """
    has_all = Right.CONSUME in stream_rights and (caller.user_id == owner_id or Right.MANAGE in stream_rights)
    return ALL_GROUP_RIGHTS if has_all else NO_GROUP_RIGHTS


def check_group_right(rights: frozenset[GroupRight], right: GroupRight, *, name: str) -> None:
    """Refuse who sees a group, but may not do this with it.

    Raises:
        ScopeMissing
    """
    if right not in rights:
        raise ScopeMissing(_DETAILS[right].format(name=name))
