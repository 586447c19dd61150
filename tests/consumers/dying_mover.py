"""A mover that dies where it is told to: `python -m tests.consumers.dying_mover`.

It reads `GROUP LINE` from its input, takes back leases and moves exhausted deliveries in a child of its own, which kills
itself before it runs the given line, counted from 0, of the code that does this; and says `killed`, or `done` if there
was no such line. So a test can kill it between any two lines.
"""

import os
import signal
import subprocess
import sys
from types import FrameType
from typing import Any

from tests.streams.log.appending import process_environment

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


class DyingMover:
    """The program, to be told where to die."""

    def __enter__(self) -> "DyingMover":
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=process_environment() | {"DJANGO_SETTINGS_MODULE": "eventflow_site.settings"},
        )
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def is_killed(self, group_id: int, *, before_line: int) -> bool:
        """Whether there was such a line."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(group_id, before_line, file=self._process.stdin, flush=True)
        said = self._process.stdout.readline()
        assert said in ("killed\n", "done\n"), said
        return said == "killed\n"


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


def _move(group_id: int, line: int) -> None:
    from consumers.models import ConsumerGroup
    from consumers.services.dead_letters.move import move_exhausted
    from consumers.services.leasing import expire_leases

    group = ConsumerGroup.objects.select_related("stream").get(pk=group_id)
    sys.settrace(_die_before(line))
    expire_leases(group=group)
    move_exhausted(group=group)


def main() -> None:
    import django

    django.setup()
    for asked in sys.stdin:
        group_id, line = map(int, asked.split())
        child = os.fork()
        if not child:
            try:
                _move(group_id, line)
            except BaseException:
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if os.WIFSIGNALED(status):
            print("killed", flush=True)
        else:
            print("done" if os.WEXITSTATUS(status) == 0 else "failed", flush=True)


if __name__ == "__main__":
    main()
