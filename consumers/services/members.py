"""Who was seen reading as a group: the one side effect of a GET, written seldom."""

import threading
import time

from consumers.conf import MEMBER_SEEN_INTERVAL_SECONDS
from consumers.statements import run

_seen: dict[tuple[int, str], float] = {}
_lock = threading.Lock()
_MAX_REMEMBERED = 100_000


def note_member(*, group_id: int, name: str) -> None:
    """Remember that `name` read as this group just now; at most one write in five seconds for each member.

    A group that was deleted meanwhile has no members, and that is no error.
    """
    now = time.monotonic()
    member = (group_id, name[:128])
    if now - _seen.get(member, -MEMBER_SEEN_INTERVAL_SECONDS) < MEMBER_SEEN_INTERVAL_SECONDS:
        return
    with _lock:
        if len(_seen) >= _MAX_REMEMBERED:
            _seen.clear()
        _seen[member] = now
    run("note_member", group_id=group_id, name=member[1])
