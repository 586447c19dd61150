"""Real PostgreSQL and Valkey for a test run, unless DATABASE_URL and REDIS_URL name others.

Loaded with `-p`, because pytest-django reads the settings before any conftest.py. The servers belong
to the controlling process, xdist's workers inherit their addresses. Every run has a directory of its
own, so that runs side by side do not meet, and nothing of it outlives the run, however that ends.
"""

import atexit
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from eventflow_site.embedded.places import unprivileged_user
from eventflow_site.embedded.postgres import DISPOSABLE, PostgresServer, find_binaries, postgres_in
from eventflow_site.embedded.valkey import valkey_in

PROJECT = Path(__file__).resolve().parent.parent
RUNS = PROJECT / "var" / "test"

_locks: list[IO[str]] = []


def start_servers() -> None:
    """Start what the environment does not name, and put it there."""
    run = _new_run()
    processes: list[subprocess.Popen[bytes]] = []
    if not os.environ.get("DATABASE_URL"):
        postgres = _postgres_from_template(run)
        with postgres.log_path.open("ab") as log:
            process = postgres.start(log)
        processes.append(process)
        postgres.wait_until_ready(process)
        os.environ["DATABASE_URL"] = postgres.url
    if not os.environ.get("REDIS_URL"):
        valkey = valkey_in(run / "valkey", log_path=run / "valkey.log", keeps_data=False)
        with valkey.log_path.open("ab") as log:
            process = valkey.start(log)
        processes.append(process)
        valkey.wait_until_ready(process)
        os.environ["REDIS_URL"], os.environ["CELERY_BROKER_URL"] = valkey.url, valkey.broker_url
    # Not the home of a `make run` in the same checkout: its secrets and servers are not for tests.
    os.environ["EVENTFLOW_HOME"] = str(run)
    os.environ.setdefault("SECRET_KEY", "a-secret-key-for-tests-only-of-more-than-fifty-characters")
    os.environ.setdefault("JWT_SIGNING_KEY", "a-signing-key-for-tests-only-of-more-than-fifty-characters")
    # A line for each request would drown what pytest has to say.
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    # A pool would keep connections to a test database that is to be dropped.
    os.environ.setdefault("DATABASE_POOL_SIZE", "0")
    atexit.register(_stop, os.getpid(), processes, run)


def _stop(owner: int, processes: list[subprocess.Popen[bytes]], run: Path) -> None:
    if os.getpid() != owner:
        return
    for process in processes:
        # Nothing is worth writing down: the immediate shutdown.
        process.send_signal(signal.SIGQUIT)
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _remove(run)


def _new_run() -> Path:
    RUNS.mkdir(parents=True, exist_ok=True)
    # Nobody sweeps a directory away between its creation and its lock.
    with _lock(RUNS / "sweep.lock", fcntl.LOCK_EX):
        _sweep()
        run = Path(tempfile.mkdtemp(dir=RUNS, prefix="run-"))
        _locks.append(_lock(run / "lock", fcntl.LOCK_EX))
    if (server := unprivileged_user()) is not None:
        os.chown(run, 0, server.gid)
        run.chmod(0o710)
    return run


def _sweep() -> None:
    """Remove what runs left behind that were killed: their locks are free."""
    for run in RUNS.glob("run-*"):
        try:
            lock = _lock(run / "lock", fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        _remove(run)
        lock.close()


def _remove(run: Path) -> None:
    for link in run.rglob("postgres"):
        # Root's server may have its data elsewhere, where its user can reach it.
        if link.is_symlink():
            shutil.rmtree(link.resolve(), ignore_errors=True)
    shutil.rmtree(run, ignore_errors=True)


def _postgres_from_template(run: Path) -> PostgresServer:
    """A server on a copy of a cluster that is initialised once: a copy takes a tenth of the time."""
    binaries = find_binaries()
    version = hashlib.sha256(f"{binaries}:{(binaries / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    template = postgres_in(RUNS / f"template-{version}", log_path=RUNS / "template.log", durability=DISPOSABLE)
    with _lock(RUNS / "template.lock", fcntl.LOCK_EX):
        template.initialise()
    server = postgres_in(run / "postgres", log_path=run / "postgres.log", durability=DISPOSABLE)
    # `cp -a` keeps the owner, which is not us where root runs the tests.
    subprocess.run(["cp", "-a", template.data, server.data], check=True)
    return server


def _lock(path: Path, mode: int) -> IO[str]:
    file = path.open("a")
    try:
        fcntl.flock(file, mode)
    except OSError:
        file.close()
        raise
    return file


if "PYTEST_XDIST_WORKER" not in os.environ:
    start_servers()
