import os
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.instance import Instance


def new_home() -> Path:
    """A home inside this run's own directory, which is removed with everything in it."""
    return Path(os.environ["EVENTFLOW_HOME"]) / f"up-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def home() -> Path:
    return new_home()


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
