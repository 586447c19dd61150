import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow_site.embedded.postgres import DURABLE, postgres_in
from eventflow_site.supervisor.home import open_home
from tests import migrated_cluster
from tests.run.instance import Instance, wait_for


def new_home() -> Path:
    """A home inside this run's own directory, which is removed with everything in it."""
    return Path(os.environ["EVENTFLOW_HOME"]) / f"up-{uuid.uuid4().hex[:8]}"


def prepared_home() -> Path:
    """A home whose database has been migrated already: it starts sooner, and its first start is one all the same."""
    home = open_home(new_home())
    with home.lock:
        server = postgres_in(home.path / "postgres", log_path=home.logs / "postgres.log", durability=DURABLE)
        migrated_cluster.copy_to(server)
        (server.data.parent / "database-created").touch(mode=0o600)
    return home.path


def home_of_an_earlier_start() -> Path:
    """A home whose first start is over: what it takes from there to the greeting is left out."""
    instance = Instance(prepared_home())
    wait_for("the end of the preparations", (instance.home / "postgres" / "migrated").exists)
    assert instance.stop() == 0
    return instance.home


@pytest.fixture
def home() -> Path:
    return new_home()


@pytest.fixture(name="prepared_home")
def prepared_home_of_its_own() -> Path:
    return prepared_home()


@pytest.fixture(scope="session")
def running() -> Iterator[Instance]:
    """One instance for all tests that leave it as they found it: up."""
    if sys.platform != "linux":
        pytest.skip("looks into /proc")
    instance = Instance(new_home())
    try:
        yield instance.wait_until_greeted()
    finally:
        if instance.process.poll() is None:
            instance.process.send_signal(signal.SIGTERM)
            instance.process.wait(30)
