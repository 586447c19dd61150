"""Who was seen reading as a group: the one side effect of a GET, written seldom."""

import math
import threading
import time

from accounts.database_threads import in_database_thread
from consumers.conf import MEMBER_SEEN_INTERVAL_SECONDS
from consumers.statements import run

_seen: dict[tuple[int, str], float] = {}
_lock = threading.Lock()
_MAX_REMEMBERED = 100_000


async def note_member_async(*, group_id: int, name: str) -> None:
    """Remember that `name` read as this group just now; at most one write in five seconds for each member.

    A group that was deleted meanwhile has no members, and that is no error.
    """
    member = (group_id, name[:128])
    if _was_seen(member):
        return
    with _lock:
        # Of many requests at once, one writes.
        if _was_seen(member):
            return
        if len(_seen) >= _MAX_REMEMBERED:
            _seen.clear()
        _seen[member] = time.monotonic()
    await in_database_thread(lambda: run("note_member", group_id=group_id, name=member[1]))


def _was_seen(member: tuple[int, str]) -> bool:
    """Whether the member was written down a moment ago."""
    return time.monotonic() - _seen.get(member, -math.inf) < MEMBER_SEEN_INTERVAL_SECONDS
