"""Child processes that cannot outlive their parent.

On Linux the kernel signals a child when the thread that started it ends (PR_SET_PDEATHSIG), so
start children from a thread that lives as long as the program: the main one. Elsewhere a child
outlives a parent that is killed with SIGKILL, and only that.
"""

import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
# Loaded here and not after fork(), where the loader's locks may be held by nobody.
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class RunAs:
    """The user that a child runs as."""

    uid: int
    gid: int


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Have the kernel send `signal_number` to this process when its parent ends, however it ends.

    Cleared by a later change of user and in children; kept over exec. In a process started by
    `multiprocessing`, a parent that has ended already ends this process at once.
    """
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal_number))
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid != os.getppid():
        os._exit(1)


def start_process(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int,
    env: Mapping[str, str],
    run_as: RunAs | None = None,
    cwd: Path | str = "/",
    death_signal: int = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start `command` in a session of its own, gone when this process is gone.

    A session of its own keeps Ctrl-C in the terminal from reaching the child before its
    supervisor, and lets `kill_group` reach the child's own children.
    """
    parent = os.getpid()
    # subprocess changes the user before it calls this, and so must we: setuid() clears the setting.
    before_exec: Callable[[], None] | None = None
    if _libc is not None:

        def before_exec() -> None:
            die_with_parent(death_signal)
            if os.getppid() != parent:
                os._exit(1)

    return subprocess.Popen(
        [os.fspath(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
        preexec_fn=before_exec,  # noqa: PLW1509  (only the main thread starts processes)
        user=run_as.uid if run_as else None,
        group=run_as.gid if run_as else None,
        extra_groups=[] if run_as else None,
    )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's session: helpers that it forked and left behind."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # macOS answers "not permitted" for a group that holds nothing but zombies.
        return


def wait_until(is_true: Callable[[], bool], *, seconds: float, interval_seconds: float = 0.01) -> bool:
    """Ask until the answer is yes; False when `seconds` pass without one."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(interval_seconds)
    return True
