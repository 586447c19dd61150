"""A PostgreSQL cluster in which everything is migrated already, made once for each state of the migrations.

Copying it takes a tenth of the time that initialising one and migrating a database in it take.
"""

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from eventflow_site.embedded.postgres import (
    DATABASE_NAME,
    DISPOSABLE,
    PostgresServer,
    find_binaries,
    postgres_in,
)
from eventflow_site.embedded.process import start_process
from eventflow_site.supervisor import migrated
from tests.places import PROJECT, RUNS, hold, remove

# For `CREATE DATABASE … TEMPLATE`. Nobody can connect to it, for that would stand in the way of copying.
TEMPLATE = "migrated"
KEPT_CLUSTERS = 3


def copy_to(server: PostgresServer) -> None:
    """Give a server that was never started a cluster with `TEMPLATE` and a migrated `DATABASE_NAME` in it."""
    # One run makes it, and nobody removes it while it is copied.
    with hold(RUNS / "template.lock"):
        cluster = _cluster()
        # `cp -a` keeps the owner, which is not us where root runs the tests.
        subprocess.run(["cp", "-a", cluster.data, server.data], check=True)


def _cluster() -> PostgresServer:
    place = RUNS / f"template-{version_of(find_binaries())}"
    cluster = postgres_in(place, log_path=RUNS / "template.log", durability=DISPOSABLE)
    is_made = place / "is-made"
    if not is_made.exists():
        remove(cluster.data)
        _make(cluster)
    is_made.touch()
    others = [each for each in RUNS.glob("template-*") if each != place]
    for old in sorted(others, key=_last_use, reverse=True)[KEPT_CLUSTERS - 1 :]:
        remove(old)
    return cluster


def version_of(binaries: Path, server: str = "postgres") -> str:
    """Stands for the state of the migrations, and for the server that ran them."""
    built = (binaries / server).stat().st_mtime_ns
    return hashlib.sha256(f"{binaries} {built} {migrated.fingerprint()}".encode()).hexdigest()[:12]


def _last_use(place: Path) -> float:
    try:
        return (place / "is-made").stat().st_mtime
    except OSError:
        return 0


def _make(cluster: PostgresServer) -> None:
    cluster.initialise()
    with cluster.log_path.open("ab") as log:
        process = cluster.start(log)
    try:
        cluster.wait_until_ready(process)
        with psycopg.connect(cluster.maintenance_url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {TEMPLATE}")
            _migrate(cluster.url_of(TEMPLATE))
            connection.execute(f"ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false IS_TEMPLATE true")
            connection.execute(f"CREATE DATABASE {DATABASE_NAME} TEMPLATE {TEMPLATE}")
    finally:
        # The fast shutdown, which is an orderly one: or each copy would have to recover first.
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _migrate(url: str) -> None:
    env = {**os.environ, "DATABASE_URL": url, "DATABASE_POOL_SIZE": "0"}
    with tempfile.TemporaryFile() as output:
        command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        if start_process(command, output=output, env=env, cwd=PROJECT).wait() != 0:
            output.seek(0)
            raise RuntimeError(f"The migrations failed.\n{output.read().decode(errors='replace')}")
