"""The example application as a program of its own, with a database of its own, beside a test."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

DJANGO = Path(__file__).resolve().parents[1]
SHOP = DJANGO / "examples" / "shop"
PROGRAMS = Path(__file__).resolve().parent / "programs.py"
SOURCES = [DJANGO / "src", DJANGO.parent / "python" / "src", DJANGO.parent / "python" / "tests"]


class Shop:
    """
    Args:
        database: a name that no database has yet.
        folder: where its `manage.py` is.
    """

    def __init__(self, database: str, *, url: str, key: str, folder: Path = SHOP) -> None:
        self.database = database
        self.folder = folder
        self.server = os.environ["DATABASE_URL"]
        self.database_url = urlsplit(self.server)._replace(path=f"/{database}").geturl()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")},
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": os.pathsep.join(map(str, [*SOURCES, folder])),
            "SHOP_DATABASE_URL": self.database_url,
            "EVENTFLOW_API": url,
            "EVENTFLOW_KEY": key,
        }

    def make(self) -> None:
        self.create_database()
        self.manage("migrate", "--verbosity", "0")

    def create_database(self) -> None:
        with psycopg.connect(self._maintenance, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {self.database}")

    def drop(self) -> None:
        with psycopg.connect(self._maintenance, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)")

    def manage(self, *arguments: str, **environment: str) -> str:
        """Run a command to its end, which has to be a good one; return what it printed."""
        return self._run(str(self.folder / "manage.py"), *arguments, **environment)

    def python(self, *arguments: str, **environment: str) -> str:
        """Run a Python of the application's to its end, which has to be a good one; return what it printed."""
        return self._run(*arguments, **environment)

    def run(self, program: str, *arguments: Any) -> str:
        """Run a function of `programs.py` to its end."""
        return self._run(str(PROGRAMS), program, *map(str, arguments))

    @contextmanager
    def started(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
        """A command that runs beside the test; killed in the end."""
        yield from self._started(str(self.folder / "manage.py"), *arguments, **environment)

    @contextmanager
    def started_program(self, program: str, *arguments: Any, stderr: int | None = None) -> Iterator[subprocess.Popen]:
        yield from self._started(str(PROGRAMS), program, *map(str, arguments), stderr=stderr)

    @contextmanager
    def started_module(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen]:
        yield from self._started("-m", *arguments, **environment)

    def ask(self, query: str) -> list[tuple]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(query).fetchall()

    def ask_to(self, statement: str) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement)

    @property
    def waiting(self) -> int:
        return self.ask("SELECT count(*) FROM eventflow_django_outboxevent")[0][0]

    @property
    def _maintenance(self) -> str:
        return urlsplit(self.server)._replace(path="/postgres").geturl()

    def _run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            env=self.environment | environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _started(self, *command: str, stderr: int | None = None, **environment: str) -> Iterator[subprocess.Popen]:
        process = subprocess.Popen(
            [sys.executable, "-u", *command],
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
        try:
            yield process
        finally:
            process.kill()
            process.communicate()
