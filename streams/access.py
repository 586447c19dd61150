"""What a caller may do with one stream: `role ∩ grant ∩ key`, as a pure rule."""

from accounts.caller import Caller
from accounts.principals import Access
from accounts.roles import ALL_RIGHTS, Right, Role

NOTHING: frozenset[Right] = frozenset()


def rights_on_stream(caller: Caller, *, name: str, is_internal: bool, access: Access) -> frozenset[Right]:
    """Return the caller's effective rights; none at all means that the stream does not exist for them.

    Args:
        access: who owns the stream, and who was given which rights to it.
    """
    if not caller.may_touch(name):
        return NOTHING
    if caller.is_admin or access.is_owned_by(caller):
        grant = ALL_RIGHTS
    else:
        grant = frozenset(Right(right) for right in access.granted_to(caller))
        if is_internal and Role.CONSUMER in caller.roles:
            grant |= {Right.CONSUME}
    return caller.rights & grant
