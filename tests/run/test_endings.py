"""Nothing outlives the supervisor, and the next start finds everything as it was."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventflow_site.supervisor.terminal import Terminal
from tests.run.instance import (
    PROJECT,
    Instance,
    clean_environment,
    family_of,
    free_port,
    is_alive,
    is_listening,
    wait_for,
)

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

# postgres, valkey, web, worker, beat
CHILDREN_COUNT = 5


def test_killing_the_supervisor_leaves_nothing_and_the_next_start_works(prepared_home: Path) -> None:
    first = Instance(prepared_home).wait_until_greeted()
    family = family_of(first.process.pid)
    assert len(family) > CHILDREN_COUNT

    first.process.kill()
    first.process.wait()

    wait_for("the family to end", lambda: not any(is_alive(pid) for pid in family))
    assert not is_listening(first.port)

    second = Instance(prepared_home).wait_until_greeted()
    family = family_of(second.process.pid)
    assert second.answers()
    assert "shown this once" not in second.terminal
    assert second.stop() == 0
    assert not any(is_alive(pid) for pid in family)
    assert not is_listening(second.port)
    assert not (prepared_home / "run.env").exists()


def test_a_password_that_the_first_start_was_given_is_not_looked_for_elsewhere(prepared_home: Path) -> None:
    first = Instance(prepared_home, EVENTFLOW_ADMIN_PASSWORD="of my own choice").wait_until_greeted()
    assert "Password   as EVENTFLOW_ADMIN_PASSWORD says" in first.terminal
    environments = {pid: environment_of(pid) for pid in family_of(first.process.pid)}
    assert len(environments) > 4
    assert [pid for pid, environment in environments.items() if b"of my own choice" in environment] == []
    first.stop()

    second = Instance(prepared_home).wait_until_greeted()
    second.stop()

    assert "Password   as it was set" in second.terminal
    assert "EVENTFLOW_ADMIN_PASSWORD" not in (prepared_home / "secrets.env").read_text()


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def test_being_stopped_while_starting_leaves_nothing(home: Path) -> None:
    instance = Instance(home)
    wait_for("a first child", lambda: family_of(instance.process.pid))
    family = family_of(instance.process.pid)

    assert instance.stop() == 0

    assert not any(is_alive(pid) for pid in family)


@pytest.mark.database
def test_servers_of_ones_own_are_used_instead(home: Path) -> None:
    template = os.environ.get("EVENTFLOW_TEST_TEMPLATE")
    like = f"TEMPLATE {template}" if template else ""
    subprocess.run(
        [
            sys.executable,
            "-c",
            f"import psycopg,os; psycopg.connect(os.environ['U'], autocommit=True).execute('CREATE DATABASE own {like}')",
        ],
        env={**os.environ, "U": _database("postgres")},
        check=True,
    )
    instance = Instance(
        home,
        DATABASE_URL=_database("own"),
        REDIS_URL=os.environ["REDIS_URL"],
        CELERY_BROKER_URL=os.environ.get("CELERY_BROKER_URL", os.environ["REDIS_URL"]),
        SECRET_KEY="given-" + "x" * 50,
        JWT_SIGNING_KEY="given-" + "y" * 50,
        ALLOWED_HOSTS="127.0.0.1",
    ).wait_until_greeted()

    try:
        assert instance.answers()
        assert instance.child("postgres -D") is None
        assert instance.child("valkey-server") is None
        assert "SECRET_KEY" not in (home / "secrets.env").read_text()
    finally:
        assert instance.stop() == 0


def _database(name: str) -> str:
    url, question, rest = os.environ["DATABASE_URL"].partition("?")
    return url.rpartition("/")[0] + "/" + name + question + rest


def test_a_closed_terminal_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)
    window, keyboard = pty.openpty()
    here = os.dup(0)
    os.dup2(keyboard, 0)
    try:
        terminal = Terminal()
        assert not terminal.is_gone()

        os.close(window)

        assert terminal.is_gone()
    finally:
        os.dup2(here, 0)
        os.close(here)
        os.close(keyboard)


def test_killing_what_started_it_leaves_nothing(prepared_home: Path) -> None:
    # As `make run` does: make, and below it the supervisor.
    port = free_port()
    make = subprocess.Popen(
        [
            *(sys.executable, "-c", "import subprocess, sys; subprocess.call(sys.argv[1:])"),
            *(sys.executable, "manage.py", "up", "--stop-with-parent"),
        ],
        cwd=PROJECT,
        env=clean_environment(EVENTFLOW_HOME=str(prepared_home), PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for("servers", lambda: len(family_of(make.pid)) > CHILDREN_COUNT)
    family = family_of(make.pid)

    make.kill()
    make.wait()

    wait_for("the family to end", lambda: not any(is_alive(pid) for pid in family))
