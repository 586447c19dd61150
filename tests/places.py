"""Where a test run keeps its files: a directory of its own, so that runs side by side do not meet."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from eventflow_site.embedded.places import unprivileged_user

PROJECT = Path(__file__).resolve().parent.parent
RUNS = PROJECT / "var" / "test"

_held: list[IO[str]] = []


def new_run() -> Path:
    """Make a directory that lasts as long as this process; the next run sweeps it away if nobody else did."""
    RUNS.mkdir(parents=True, exist_ok=True)
    # Nobody sweeps a directory away between its creation and its lock.
    with hold(RUNS / "sweep.lock"):
        _sweep()
        run = Path(tempfile.mkdtemp(dir=RUNS, prefix="run-"))
        _held.append(hold(run / "lock"))
    if (server := unprivileged_user()) is not None:
        os.chown(run, 0, server.gid)
        run.chmod(0o710)
    return run


def remove(place: Path) -> None:
    """Remove a directory, and what links of root's servers lead to: their user may not reach the directory itself."""
    for link in (place, *place.rglob("postgres")):
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
    if place.is_symlink():
        place.unlink()
    shutil.rmtree(place, ignore_errors=True)


def hold(path: Path, mode: int = fcntl.LOCK_EX) -> IO[str]:
    """Lock `path` until what is returned is closed."""
    file = path.open("a")
    try:
        fcntl.flock(file, mode)
    except OSError:
        file.close()
        raise
    return file


def _sweep() -> None:
    """Remove what runs left behind that were killed: their locks are free."""
    for run in RUNS.glob("run-*"):
        try:
            lock = hold(run / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        remove(run)
        lock.close()
