"""PGMQ's functions, driven by pgbench in a database of its own on the server that EventFlow uses too.

Its one SQL file is not part of this repository: the environment variable PGMQ_SQL names it.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.events import make_event
from benchmarks.peers.rates import Rate
from eventflow_site.embedded.postgres import find_binaries

VARIABLE = "PGMQ_SQL"
DATABASE = "bench_pgmq"
QUEUE = "orders"
_VISIBLE_AFTER_SECONDS = 60
# Each in a transaction of its own, as a worker would.
_SEND = "SELECT pgmq.send('{queue}', $${message}$$::jsonb);\n"
_SEND_BATCH = "SELECT count(*) FROM pgmq.send_batch('{queue}', ARRAY(SELECT $${message}$$::jsonb FROM generate_series(1, {batch})));\n"
_READ = (
    "SELECT msg_id FROM pgmq.read('{queue}', {seconds}, 1) \\gset\nSELECT pgmq.delete('{queue}', :msg_id::bigint);\n"
)


def is_given() -> bool:
    return VARIABLE in os.environ


class Pgmq:
    """One queue. Its database is made when this is entered, and dropped at the end."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._url = urlsplit(server_url)._replace(path=f"/{DATABASE}").geturl()
        self._message = json.dumps(make_event(1)["payload"], separators=(",", ":"))

    def __enter__(self) -> "Pgmq":
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE}")
            connection.execute(f"CREATE DATABASE {DATABASE}")
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute("CREATE SCHEMA pgmq")
            connection.execute(Path(os.environ[VARIABLE]).read_text())
            connection.execute("SELECT pgmq.create(%s)", [QUEUE])
        return self

    def __exit__(self, *_: object) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")

    def send(self, clients: int, seconds: int) -> Rate:
        return self._run(_SEND, clients, seconds)

    def send_batches(self, clients: int, seconds: int, batch: int) -> Rate:
        """Events, not batches, a second."""
        rate = self._run(_SEND_BATCH, clients, seconds, batch=batch)
        return Rate(rate.per_second * batch, rate.p50, rate.p99)

    def read_and_delete(self, clients: int, seconds: int) -> Rate:
        """Take one message and delete it, again and again; there are enough of them."""
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(
                "SELECT count(*) FROM pgmq.send_batch(%s, ARRAY(SELECT %s::jsonb FROM generate_series(1, 100000)))",
                [QUEUE, self._message],
            )
        return self._run(_READ, clients, seconds)

    def bytes_per_event(self) -> float:
        """With rows and indexes."""
        with psycopg.connect(self._url) as connection:
            row = connection.execute(
                f"SELECT pg_total_relation_size('pgmq.q_{QUEUE}')::float / greatest(1, count(*)) FROM pgmq.q_{QUEUE}"
            ).fetchone()
            return float(row[0]) if row else 0.0

    def _run(self, script: str, clients: int, seconds: int, **more: int) -> Rate:
        text = script.format(queue=QUEUE, message=self._message, seconds=_VISIBLE_AFTER_SECONDS, **more)
        with _folder() as folder:
            (folder / "script.sql").write_text(text)
            options = [
                "-n",
                "-M",
                "prepared",
                "-c",
                str(clients),
                "-j",
                "1",
                "-T",
                str(seconds),
                "-l",
                "-f",
                "script.sql",
            ]
            said = subprocess.run(
                [find_binaries() / "pgbench", *options, self._url],
                cwd=folder,
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            # The third column of pgbench's log: how long a transaction took, in microseconds.
            took = sorted(
                int(line.split(maxsplit=3)[2]) / 1000
                for log in folder.glob("pgbench_log.*")
                for line in log.read_text().splitlines()
            )
        found = re.search(r"tps = ([\d.]+)", said)
        if found is None or not took:
            raise SystemExit(f"pgbench answered something else:\n{said}")
        return Rate(float(found[1]), took[len(took) // 2], took[int(len(took) * 0.99)])


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="eventflow-bench-") as folder:
        yield Path(folder)
