"""Programs that die where they are told to: before a given line of the code that is looked at, counted from 0."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from tests.forked import Forked


def is_killed(program: str, *arguments: str) -> bool:
    """Let a program do its work and die; return whether it did, or has come through and says `done`."""
    dying = Forked(program, *arguments)
    said, _ = dying.communicate()
    assert (dying.returncode, said) in ((-signal.SIGKILL, ""), (0, "done\n")), (dying.returncode, said)
    return dying.returncode == -signal.SIGKILL


@contextmanager
def dying_before(line: int, *, of: tuple[str, ...]) -> Iterator[None]:
    """Within the block, kill this process before it runs that line of modules whose paths end so."""
    seen = -1

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        code = frame.f_code
        if not code.co_filename.endswith(of) or code.co_name.startswith("<"):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(None)
