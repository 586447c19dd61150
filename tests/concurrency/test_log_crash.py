"""PostgreSQL itself is killed under load, again and again: what was answered is there when it is back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.postgres import DURABLE, PostgresServer, postgres_in
from streams.log.protocol import PartitionRef
from tests import migrated_cluster
from tests.run.conftest import new_home
from tests.streams.log.appending import REFUSED, STORED, AppendingProcess, Load

pytestmark = pytest.mark.processes

CRASHES = 3
PREPARE = """
import django; django.setup()
from accounts.models import User
from streams.models import Partition, Stream
stream = Stream.objects.create(name="crash", owner=User.objects.create_user("a@example.com"), partition_count=3)
print([Partition.objects.create(stream=stream, number=number).pk for number in range(3)])
"""
CHECK = """
import json, sys
import django; django.setup()
from streams.log import get_log
from streams.log.protocol import PartitionRef
from tests.streams.log.appending import Outcomes, check_log
partitions, told = json.load(sys.stdin)
told = [Outcomes({name: tuple(outcome) for name, outcome in told.items()})]
print(json.dumps(check_log(get_log(), [PartitionRef(*one) for one in partitions], told)))
"""


class CrashingServer:
    """A durable PostgreSQL of this test's own."""

    def __init__(self, place: PostgresServer) -> None:
        self.place = place
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.place.log_path.open("ab") as log:
            self.process = self.place.start(log)
        self.place.wait_until_ready(self.process)

    def kill(self) -> None:
        """SIGKILL the postmaster and all of its children at once."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (self.process.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.process.wait(30)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)


@pytest.fixture
def server():
    directory = new_home()
    try:
        place = postgres_in(directory / "postgres", log_path=directory / "log", durability=DURABLE)
    except CannotStart as reason:
        pytest.skip(f"needs PostgreSQL's programs: {reason}")
    server = CrashingServer(place)
    migrated_cluster.copy_to(place)
    server.start()
    yield server
    server.stop()


def run(code, environment, given=None):
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(given),
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def test_kill_9_of_the_whole_server_loses_no_event_that_was_answered(server):
    environment = os.environ | {"DATABASE_URL": server.place.url, "DATABASE_POOL_SIZE": "0"}
    partitions = [PartitionRef(pk, "crash", number) for number, pk in enumerate(run(PREPARE, environment))]
    with AppendingProcess(Load(partitions, threads=8), environment) as process:
        assert process.has_begun.wait(60)
        for _ in range(CRASHES):
            time.sleep(0.4)
            server.kill()
            time.sleep(0.2)
            server.start()
            before, started = process.stored_count, time.monotonic()
            while process.stored_count == before:
                assert time.monotonic() - started < 5, "appends did not come back"
                time.sleep(0.01)
        outcomes = process.finish()
    counts = run(CHECK, environment, [partitions, outcomes.of])
    assert counts[STORED] > 20
    assert counts[REFUSED] > 0
