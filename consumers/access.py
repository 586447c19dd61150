"""What a caller may do with one consumer group, as a pure rule: `role ∩ (owner or grant) ∩ key`."""

from enum import StrEnum

from accounts.caller import Caller
from accounts.errors import ScopeMissing
from accounts.principals import Access
from accounts.roles import Right


class GroupRight(StrEnum):
    """What can be done with a group; whoever may consume its stream may look at it."""

    USE = "use"
    MANAGE = "manage"


ALL_GROUP_RIGHTS = frozenset(GroupRight)
NO_GROUP_RIGHTS: frozenset[GroupRight] = frozenset()

# Either puts words into a producer's mouth by right.
_EDITING = frozenset({Right.PRODUCE, Right.MANAGE})

_DETAILS = {
    GroupRight.USE: "You may see {name}, but not read, lease, commit or ack as this group: its owner can, "
    "who was granted the use of it, and who manages its stream. Make a group of your own, or ask for a grant.",
    GroupRight.MANAGE: "You may see {name}, but not manage it: its owner can, who was granted that, and who manages "
    "its stream.",
}


def rights_on_group(caller: Caller, *, access: Access, stream_rights: frozenset[Right]) -> frozenset[GroupRight]:
    """Return the caller's effective rights on a group; an owner who lost the stream has lost the group as well.

    Args:
        access: who owns the group, and who was given which rights to it.
        stream_rights: the caller's effective rights on the group's stream.
    """
    if Right.CONSUME not in stream_rights:
        return NO_GROUP_RIGHTS
    if Right.MANAGE in stream_rights or access.is_owned_by(caller):
        return ALL_GROUP_RIGHTS
    return frozenset(GroupRight(right) for right in access.granted_to(caller))


def check_group_right(rights: frozenset[GroupRight], right: GroupRight, *, name: str) -> None:
    """Refuse who sees a group, but may not do this with it.

    Raises:
        ScopeMissing
    """
    if right not in rights:
        raise ScopeMissing(_DETAILS[right].format(name=name))


def may_edit_payloads(stream_rights: frozenset[Right]) -> bool:
    """Whether who manages a group may also send it events with payloads that no producer sent."""
    return not stream_rights.isdisjoint(_EDITING)


def check_may_edit_payloads(stream_rights: frozenset[Right], *, stream: str) -> None:
    """Refuse a redrive with another payload to who could not have appended it.

    Raises:
        ScopeMissing
    """
    if not may_edit_payloads(stream_rights):
        raise ScopeMissing(
            f"Another payload takes the right to produce to {stream}, or to manage it. You may send it again as it is."
        )
