"""`manage.py up` of the run's own, whole: web, Celery, beat, PostgreSQL and Valkey, with a network that can be broken.

PostgreSQL listens on a Unix socket that libpq finds by a directory and PGPORT. The supervisor keeps PG… variables from
its server, but everything else inherits them: so with another PGPORT all talk to the network's socket beside the
server's own, and nothing has to know.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from eventflow_site.embedded.postgres import DURABLE, PostgresServer, postgres_in
from tests.run.instance import PROJECT, Instance, children_of, clean_environment, command_line, family_of, wait_for

EMAIL, PASSWORD = "admin@eventflow.local", "a-password-for-faults-only"
WEB_WORKERS = 2
_SERVER_PORT, _NETWORK_PORT = 5432, 6543
# A busy machine: what is not there by then will not come.
_START_SECONDS = 300
# By words of their command lines; the web server is whoever is none of these, whatever serves.
_PARTS = {
    "postgres": ("bin/postgres",),
    "valkey": ("valkey-server", "redis-server"),
    "celery": ("background.worker",),
    "beat": ("background.beat",),
}


class Installation:
    """Use as a context: nothing is left of it afterwards but what was copied."""

    def __init__(self, struck: Callable[[str, float], None]) -> None:
        """`struck` is told of each commit that the network has broken, and when."""
        self.directory = Path(tempfile.mkdtemp(prefix="eventflow-faults-"))
        if os.geteuid() == 0:
            # The server's own user passes through.
            self.directory.chmod(0o711)
        self.home = self.directory / "home"
        self.home.mkdir(mode=0o711)
        self._struck = struck
        self.instance: Instance | None = None

    def __enter__(self) -> "Installation":
        logs = self.home / "logs"
        logs.mkdir(mode=0o700)
        # As the supervisor will find it: this only makes the directories.
        self.postgres: PostgresServer = postgres_in(
            self.home / "postgres", log_path=logs / "postgres.log", durability=DURABLE
        )
        self._start_network()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        if self.instance is not None and self.instance.process.poll() is None:
            for pid in family_of(self.instance.process.pid):
                send(pid, signal.SIGCONT)
            self.instance.process.send_signal(signal.SIGTERM)
            try:
                self.instance.process.wait(60)
            except subprocess.TimeoutExpired:
                self.instance.process.kill()
                self.instance.process.wait()
        send(self.network.pid, signal.SIGCONT)
        self.network.kill()
        self.network.wait()
        shutil.rmtree(self.postgres.data.parent, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)

    # --- starting and stopping -----------------------------------------------------------------------

    def _start_network(self) -> None:
        sockets = self.postgres.sockets
        paths = [str(sockets / f".s.PGSQL.{port}") for port in (_NETWORK_PORT, _SERVER_PORT)]
        self.network = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.live.network", *paths],
            cwd=PROJECT,
            env=clean_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen_to_network, daemon=True).start()

    def _listen_to_network(self) -> None:
        assert self.network.stdout is not None
        for line in self.network.stdout:
            kind, at = line.split()
            if kind != "listening":
                self._struck(kind, float(at))

    def command_network(self, command: str) -> None:
        assert self.network.stdin is not None
        self.network.stdin.write(f"{command}\n")
        self.network.stdin.flush()

    def start(self) -> None:
        """Start everything and return when it is greeted."""
        instance = self.instance = Instance(
            self.home,
            PGPORT=str(_NETWORK_PORT),
            WEB_WORKERS=str(WEB_WORKERS),
            EVENTFLOW_ADMIN_EMAIL=EMAIL,
            EVENTFLOW_ADMIN_PASSWORD=PASSWORD,
        )
        is_settled = lambda: "Ctrl-C stops" in instance.terminal or instance.process.poll() is not None  # noqa: E731
        wait_for("the greeting", is_settled, _START_SECONDS)
        assert instance.process.poll() is None, instance.terminal

    def measure_load(self) -> float:
        """Return how many seconds this machine, as busy as it is, needs to load the application."""
        begun = time.monotonic()
        settings = {"DATABASE_URL": self.postgres.url, "REDIS_URL": "redis://127.0.0.1:9/0", "DATABASE_POOL_SIZE": "0"}
        secrets = {"SECRET_KEY": "k" * 64, "JWT_SIGNING_KEY": "k" * 64, "EVENTFLOW_HOME": str(self.home)}
        environment = clean_environment(**settings, **secrets)
        subprocess.run(
            [sys.executable, "manage.py", "check"], cwd=PROJECT, env=environment, capture_output=True, check=True
        )
        return time.monotonic() - begun

    def stop(self) -> int:
        """Ask it to stop; return its exit code."""
        assert self.instance is not None
        self.instance.process.send_signal(signal.SIGTERM)
        return self.instance.process.wait(_START_SECONDS)

    def keep_logs(self, place: Path) -> None:
        """Copy what was said, for whoever has to find out what happened."""
        for log in (self.home / "logs").glob("*"):
            shutil.copy(log, place)
        for terminal in self.directory.glob("*.terminal"):
            shutil.copy(terminal, place)

    # --- its parts -----------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        assert self.instance is not None
        return self.instance.port

    def part(self, name: str) -> int | None:
        """The process of `postgres`, `valkey`, `celery`, `beat` or `web`, if it lives right now."""
        assert self.instance is not None
        for pid in children_of(self.instance.process.pid):
            line = command_line(pid)
            found = next((part for part, words in _PARTS.items() if any(word in line for word in words)), "web")
            # Between fork and exec a child still looks like its parent.
            if line and found == name and " up " not in f"{line} ":
                return pid
        return None

    def web_workers(self) -> list[int]:
        """The processes that serve; multiprocessing's own helper is none of them."""
        web = self.part("web")
        return [pid for pid in children_of(web) if "resource_tracker" not in command_line(pid)] if web else []

    def backends(self) -> list[int]:
        """The server processes of EventFlow's connections; PostgreSQL names each in its command line."""
        postgres = self.part("postgres")
        return (
            [pid for pid in children_of(postgres) if " eventflow eventflow " in command_line(pid)] if postgres else []
        )

    def query(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        """Ask the database itself, past the network."""
        with psycopg.connect(
            dbname="eventflow", user="eventflow", host=str(self.postgres.sockets), port=_SERVER_PORT, connect_timeout=5
        ) as connection:
            return connection.execute(statement, params).fetchall()


def send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
