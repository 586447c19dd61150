"""A child that dies comes back; nothing outlives the supervisor."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.instance import (
    PROJECT,
    Instance,
    children_of,
    clean_environment,
    family_of,
    free_port,
    is_alive,
    is_listening,
    wait_for,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CHILDREN = {
    "web": "granian",
    "worker": "eventflow_site worker",
    "beat": "eventflow_site beat",
    "postgres": "postgres -D",
    "valkey": "valkey-server",
}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_that_is_killed_comes_back(running: Instance, name: str) -> None:
    words = CHILDREN[name]
    wait_for(f"{name} before", lambda: running.child(words))
    before = running.child(words)
    assert before is not None

    os.kill(before, signal.SIGKILL)

    wait_for(f"{name} again", lambda: running.child(words) not in (None, before))
    assert f"{name} ended (SIGKILL)" in running.terminal
    wait_for("an append to be stored", running.stores_an_event)


def test_the_web_servers_workers_do_not_outlive_its_main_process(running: Instance) -> None:
    main = running.child("granian")
    assert main is not None
    wait_for("a worker", lambda: children_of(main))
    workers = children_of(main)

    os.kill(main, signal.SIGKILL)

    wait_for("the workers to end", lambda: not any(is_alive(pid) for pid in workers))
    wait_for("an append to be stored", running.stores_an_event)


def test_a_web_worker_that_is_killed_comes_back(running: Instance) -> None:
    main = running.child("granian")
    assert main is not None
    wait_for("a worker", lambda: children_of(main))
    (worker,) = children_of(main)

    os.kill(worker, signal.SIGKILL)

    wait_for("another worker", lambda: children_of(main) not in ([], [worker]))
    wait_for("an append to be stored", running.stores_an_event)


def test_killing_the_supervisor_leaves_nothing_and_the_next_start_works(home: Path) -> None:
    first = Instance(home).wait_until_greeted()
    family = family_of(first.process.pid)
    assert len(family) > len(CHILDREN)

    first.process.kill()
    first.process.wait()

    wait_for("the family to end", lambda: not any(is_alive(pid) for pid in family))
    assert not is_listening(first.port)

    second = Instance(home).wait_until_greeted()
    family = family_of(second.process.pid)
    assert second.answers()
    assert "shown this once" not in second.terminal
    assert second.stop() == 0
    assert not any(is_alive(pid) for pid in family)
    assert not is_listening(second.port)
    assert not (home / "run.env").exists()


def test_being_stopped_while_starting_leaves_nothing(home: Path) -> None:
    instance = Instance(home)
    wait_for("a first child", lambda: family_of(instance.process.pid))
    family = family_of(instance.process.pid)

    assert instance.stop() == 0

    assert not any(is_alive(pid) for pid in family)


def test_a_second_up_in_the_same_home_is_told_of_the_first(running: Instance) -> None:
    second = Instance(running.home)

    assert second.process.wait(60) == 1
    assert f"already running in {running.home} (process {running.process.pid})" in second.terminal
    assert running.answers()


def test_servers_of_ones_own_are_used_instead(home: Path) -> None:
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import psycopg,os; psycopg.connect(os.environ['U'], autocommit=True).execute('CREATE DATABASE own')",
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


def test_killing_what_started_it_leaves_nothing(home: Path) -> None:
    # As `make run` does: make, and below it the supervisor.
    port = free_port()
    make = subprocess.Popen(
        [
            *(sys.executable, "-c", "import subprocess, sys; subprocess.call(sys.argv[1:])"),
            *(sys.executable, "manage.py", "up", "--stop-with-parent"),
        ],
        cwd=PROJECT,
        env=clean_environment(EVENTFLOW_HOME=str(home), PORT=str(port)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    wait_for("servers", lambda: len(family_of(make.pid)) > len(CHILDREN))
    family = family_of(make.pid)

    make.kill()
    make.wait()

    wait_for("the family to end", lambda: not any(is_alive(pid) for pid in family))
