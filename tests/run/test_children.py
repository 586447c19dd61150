"""A child that keeps dying comes back later and later, so that it does not eat the machine."""

import os
import subprocess
from pathlib import Path
from typing import IO

import pytest

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.process import start_process
from eventflow_site.supervisor.children import Child
from tests.run.instance import is_alive, wait_for

pytestmark = pytest.mark.processes


def next_event(child: Child) -> str:
    events: list[str] = []

    def something_happened() -> bool:
        event = child.bring_back()
        if event is not None:
            events.append(event)
        return bool(events)

    wait_for("the next event", something_happened)
    return events[0]


def test_the_delay_doubles_with_every_death_at_once(tmp_path: Path) -> None:
    def fail(log: IO[bytes]) -> subprocess.Popen[bytes]:
        return start_process(["false"], output=log, env=dict(os.environ))

    child = Child("web", fail, tmp_path / "web.log")
    child.start()

    assert next_event(child) == "web ended (exit code 1); back in 0.1 s"
    assert next_event(child) == "web ended (exit code 1); back in 0.2 s"
    assert next_event(child) == "web ended (exit code 1); back in 0.4 s"


def test_the_delay_stays_short_enough_to_be_back_within_five_seconds(tmp_path: Path) -> None:
    child = Child("postgres", lambda _log: subprocess.Popen(["false"]), tmp_path / "postgres.log")
    child.quick_deaths = 20
    child.start()

    assert next_event(child) == "postgres ended (exit code 1); back in 3.0 s"


def test_one_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    tries = []

    def fail_twice(log: IO[bytes]) -> subprocess.Popen[bytes]:
        tries.append(1)
        if len(tries) in (2, 3):
            raise CannotStart("Not now.", "Wait.")
        return start_process(["sleep", "60"], output=log, env=dict(os.environ))

    child = Child("postgres", fail_twice, tmp_path / "postgres.log")
    child.start().kill()

    assert next_event(child) == "postgres ended (SIGKILL); back in 0.1 s"
    assert next_event(child) == "postgres cannot be started (Not now.); again in 0.2 s"
    assert next_event(child) == "postgres cannot be started (Not now.); again in 0.4 s"
    wait_for("a start", lambda: child.bring_back() is None and child.is_running)
    child.ensure_stopped(by=0)
    assert not child.is_running


def test_what_a_child_started_ends_with_it(tmp_path: Path) -> None:
    def start_family(log: IO[bytes]) -> subprocess.Popen[bytes]:
        return start_process(["sh", "-c", "sleep 60 & echo $!; wait"], output=log, env=dict(os.environ))

    child = Child("web", start_family, tmp_path / "web.log")
    child.start()
    wait_for("the grandchild", lambda: (tmp_path / "web.log").read_text().strip())
    grandchild = int((tmp_path / "web.log").read_text())

    child.ask_to_stop()
    child.ensure_stopped(by=0)

    wait_for("its end", lambda: not is_alive(grandchild))
