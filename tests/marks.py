"""What the marks in pyproject.toml promise, and the order of tests that follows from them.

Loaded with `-p`, so that it holds for every test. `database` and `browser` follow from a test's fixtures. `processes`
cannot be forgotten: whoever starts a program without it fails. `slow` is a matter of honesty (`make slowest`).
"""

import gc
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.forking import STARTS

# Its tests try many times, for seconds.
RACES = "concurrency"
# It only lists files, in milliseconds.
HARMLESS_PROGRAMS = {"git"}
STARTS_A_PROGRAM = {"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.system", STARTS}

# The test that runs now, if any.
_running: list[pytest.Item] = []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "django_db_setup" in fixtures or item.get_closest_marker("django_db"):
            item.add_marker("database")
        if "browser" in fixtures:
            item.add_marker("browser")
        if RACES in item.path.parts and not item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.slow("tries many times what must never happen"))
        if not all(mark.args for mark in item.iter_markers("slow")):
            raise pytest.UsageError(f"{item.nodeid} is marked as slow and does not say why.")
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Long ones first, so that at the end no worker is left alone with one.
        ranks: dict[Path, int] = {}
        for item in items:
            ranks[item.path] = min(ranks.get(item.path, 3), _rank(item))
        items.sort(key=lambda item: ranks[item.path])


def pytest_collection_finish() -> None:
    # What was imported stays: no garbage collection need look through it again, test after test.
    gc.freeze()
    # A test makes many small things and soon lets go of all: looking for cycles less often saves up to a sixth.
    gc.set_threshold(50_000, 20, 100)
    gc.enable()


def _rank(item: pytest.Item) -> int:
    return next(
        (rank for rank, mark in enumerate(("browser", "processes", "slow")) if item.get_closest_marker(mark)), 3
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.clear()


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS_A_PROGRAM and _running and not _may_start_programs(_running[0]):
        program = os.fspath(arguments[0]) if arguments else event
        if program not in HARMLESS_PROGRAMS:
            pytest.fail(f"It starts a program ({program}) and is not marked with `processes`.")


def _may_start_programs(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(mark) for mark in ("processes", "browser"))


sys.addaudithook(_watch)
# Until all is collected: what is imported stays, and what little is not is not worth looking for.
gc.disable()
