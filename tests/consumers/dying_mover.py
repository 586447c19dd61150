"""A mover that dies where it is told to: a program with the arguments `GROUP LINE`.

It takes back leases and moves exhausted deliveries, and kills itself before it runs the given line, counted from 0, of
the code that does this. So a test can kill it between any two lines. If there is no such line, it says `done`.
"""

import os
import signal
import sys
from types import FrameType
from typing import Any

from tests.forked import Forked

MODULES = tuple(
    f"/consumers/{path}"
    for path in (
        "statements.py",
        "services/leasing/expiry.py",
        "services/leasing/settle.py",
        "services/dead_letters/move.py",
        "services/dead_letters/copies.py",
        "services/dead_letters/fate.py",
    )
)


def is_killed(group_id: int, *, before_line: int) -> bool:
    """Let it work for the group and die there; return whether there was such a line."""
    mover = Forked(__name__, str(group_id), str(before_line))
    said, _ = mover.communicate()
    assert (mover.returncode, said) in ((-signal.SIGKILL, ""), (0, "done\n")), (mover.returncode, said)
    return mover.returncode == -signal.SIGKILL


def _die_before(line: int) -> Any:
    seen = -1

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        code = frame.f_code
        if not code.co_filename.endswith(MODULES) or code.co_name.startswith("<"):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def main() -> None:
    from consumers.models import ConsumerGroup
    from consumers.services.dead_letters.move import move_exhausted
    from consumers.services.leasing import expire_leases

    group_id, line = map(int, sys.argv[1:])
    group = ConsumerGroup.objects.select_related("stream").get(pk=group_id)
    sys.settrace(_die_before(line))
    expire_leases(group=group)
    move_exhausted(group=group)
    sys.settrace(None)
    print("done", flush=True)
