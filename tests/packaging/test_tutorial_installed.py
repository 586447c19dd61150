"""The tutorial with nothing but the wheels: an empty environment, an empty folder, `eventflow up`, and what the page says."""

import re
import shutil
from pathlib import Path

import pytest

from tests.conventions.tutorial import follow_tutorial
from tests.packaging.installation import Installation
from tests.run.instance import Instance, Program

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("starts everything and a Django project of its own, and waits for leases to run out"),
    pytest.mark.skipif(not (shutil.which("curl") and shutil.which("bash")), reason="needs curl and bash"),
]


def test_the_tutorial_can_be_followed_with_what_is_installed(installed: Installation, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "shop").mkdir()
    variables = {**installed.variables(), "EVENTFLOW_HOME": str(tmp_path / "home")}
    server = Instance(tmp_path / "home", Program((installed.command, "up"), tmp_path / "server"), **variables)
    server.wait_until_greeted()
    try:
        password = re.search(r"Password +(\S+)", server.terminal)
        assert password, server.terminal
        follow_tutorial(
            tmp_path / "shop",
            api=f"{server.url}/api/v1",
            email="admin@eventflow.local",
            password=password[1],
            programs=installed.environment / "bin",
        )
    finally:
        assert server.stop() == 0
