"""A `manage.py up` of one's own: its process, its terminal, its family."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg

from eventflow_site.supervisor.home import read_env_file

PROJECT = Path(__file__).resolve().parent.parent.parent
# Generous: the machine may be busy with other tests.
PATIENCE_SECONDS = 180
# Of /proc/…/stat, counted from behind the name: when it was started, in ticks since the machine was.
_STARTED_AT = 19
# What the test run itself sets, and a newcomer's shell does not.
_NOT_INHERITED = {
    *("HOST", "PORT", "WEB_WORKERS", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"),
    *("SECRET_KEY", "JWT_SIGNING_KEY", "DATABASE_POOL_SIZE", "DJANGO_SETTINGS_MODULE", "PROMETHEUS_MULTIPROC_DIR"),
    *(name for name in os.environ if name.startswith("EVENTFLOW_")),
}


def wait_for(what: str, is_true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain: {what}"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**variables: str) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in os.environ if name not in _NOT_INHERITED}
    return {**inherited, **variables}


class Program(NamedTuple):
    """What is run, and where."""

    command: tuple[str, ...]
    cwd: Path


FROM_THE_CHECKOUT = Program((sys.executable, "manage.py", "up"), PROJECT)


class Instance:
    def __init__(self, home: Path, program: Program = FROM_THE_CHECKOUT, /, **variables: str) -> None:
        self.home = home
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._terminal_path = home.with_name(f"{home.name}-{self.port}.terminal")
        with self._terminal_path.open("wb") as terminal:
            self.process = subprocess.Popen(
                # With its parent: a test run that is killed leaves no instance behind.
                [*program.command, "--stop-with-parent"],
                cwd=program.cwd,
                env=clean_environment(
                    **{"EVENTFLOW_HOME": str(home), "PORT": str(self.port), "WEB_WORKERS": "1", **variables}
                ),
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=terminal,
            )

    @property
    def terminal(self) -> str:
        return self._terminal_path.read_text()

    def wait_until_greeted(self) -> "Instance":
        wait_for("the greeting", lambda: "Ctrl-C stops" in self.terminal or self.process.poll() is not None)
        assert self.process.poll() is None, self.terminal
        return self

    def lines_to_paste(self) -> list[str]:
        return re.findall(r"^ +(curl .*)$", self.terminal, re.MULTILINE)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
                return response.status == 200
        except urllib.error.HTTPError as error:
            return error.code < 500
        except OSError:
            return False

    def stores_an_event(self) -> bool:
        append = self.lines_to_paste()[0].replace("curl -sS", "curl -sS --fail --max-time 10", 1)
        return subprocess.run(["bash", "-c", append], capture_output=True, check=False, timeout=60).returncode == 0

    def child(self, words: str) -> int | None:
        """The supervisor's child whose command line has `words`."""
        for pid in children_of(self.process.pid):
            if words in command_line(pid):
                return pid
        return None

    def rename_table(self, old: str, new: str) -> None:
        """Break what needs the table, or mend it again."""
        with psycopg.connect(read_env_file(self.home / "run.env")["DATABASE_URL"]) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in ("Z", "X")


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def children_of(parent: int) -> list[int]:
    """Return the children that live, the oldest first: their numbers begin anew now and then."""
    found: list[tuple[int, int]] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == parent and words[0] != "Z":
            found.append((int(words[_STARTED_AT]), int(stat.parent.name)))
    return [pid for _, pid in sorted(found)]


def family_of(pid: int) -> list[int]:
    children = children_of(pid)
    return children + [deeper for child in children for deeper in family_of(child)]


def is_listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as client:
        client.settimeout(2)
        return client.connect_ex((host, port)) == 0
