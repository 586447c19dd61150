"""What a caller may do with one stream: `role ∩ grant ∩ key`, as a pure rule."""

from accounts.caller import Caller
from accounts.roles import ALL_RIGHTS, Right, Role

NOTHING: frozenset[Right] = frozenset()


def rights_on_stream(
    caller: Caller, *, name: str, owner_id: int, is_internal: bool, granted: frozenset[Right] = NOTHING
) -> frozenset[Right]:
    """Return the caller's effective rights; none at all means that the stream does not exist for them.

    Args:
        granted: rights that somebody gave this user on this stream.
    """
    if not caller.may_touch(name):
        return NOTHING
    if caller.is_admin or caller.user_id == owner_id:
        grant = ALL_RIGHTS
    else:
        grant = granted
        if is_internal and Role.CONSUMER in caller.roles:
            grant |= {Right.CONSUME}
    return caller.rights & grant
