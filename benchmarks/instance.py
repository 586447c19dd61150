"""A server of the benchmark's own, by the same command that users run."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

PROJECT = Path(__file__).resolve().parent.parent
START_SECONDS = 300


class Instance:
    """`manage.py up` in a home of its own; DATABASE_URL and REDIS_URL are taken from the environment if set.

    Args:
        is_embedded: have servers of its own whatever the environment says, as when several instances run at once.
        variables: of its environment, on top.
    """

    def __init__(self, *, is_embedded: bool = False, **variables: str) -> None:
        given = {"DATABASE_URL", "REDIS_URL"} if is_embedded else set()
        self._environment = {name: value for name, value in os.environ.items() if name not in given} | variables
        self.home = Path(tempfile.mkdtemp(prefix="eventflow-bench-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.url}/api/v1"
        self._terminal = self.home / "terminal"

    def __enter__(self) -> "Instance":
        with self._terminal.open("wb") as terminal:
            self._process = subprocess.Popen(
                [sys.executable, "manage.py", "up", "--stop-with-parent"],
                cwd=PROJECT,
                env={**self._environment, "EVENTFLOW_HOME": str(self.home), "PORT": str(self.port)},
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )
        deadline = time.monotonic() + START_SECONDS
        while "Ctrl-C stops" not in self._terminal.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The server did not start:\n{self._terminal.read_text()}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        subprocess.run(["rm", "-rf", str(self.home)], check=False)

    @property
    def password(self) -> str:
        """The first admin's password, as the terminal shows it."""
        found = re.search(r"Password +(\S+)", self._terminal.read_text())
        if found is None:
            raise SystemExit("The terminal shows no password.")
        return found[1]

    @property
    def database_url(self) -> str:
        """Where the instance's PostgreSQL listens."""
        found = re.search(r"^DATABASE_URL=(.*)$", (self.home / "run.env").read_text(), re.MULTILINE)
        if found is None:
            raise SystemExit("run.env names no DATABASE_URL.")
        return found[1].strip("'\"")

    def cpu_seconds(self, *, of: str = "") -> float:
        """CPU time that the instance's processes have used so far: less noisy than a clock on a shared machine.

        Args:
            of: of those alone whose command line has this word.
        """
        return sum(cpu_seconds_of(pid) for pid in _family(self._process.pid) if of in _command(pid))

    def memory_bytes(self, *, of: str = "") -> int:
        """Memory of the instance's processes; what several share is counted once (PSS).

        Args:
            of: of those alone whose command line has this word.
        """
        return sum(_memory_bytes(pid) for pid in _family(self._process.pid) if of in _command(pid))


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def cpu_seconds_of(pid: int) -> float:
    """CPU time that a process, and its children that have ended, have used so far; of one that is gone: 0."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    # utime, stime and those of children that have ended.
    return sum(int(each) for each in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0
