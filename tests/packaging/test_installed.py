"""The package, installed into an empty environment, is a whole server in any folder."""

import json
import re
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.conventions.commands import commands_of, run_commands
from tests.packaging.building import VERSION
from tests.packaging.installation import Installation
from tests.run.instance import PROJECT, clean_environment

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("builds the package, installs it with all libraries, and starts it with nothing prepared"),
]


@pytest.fixture
def folder_of_another_project(tmp_path: Path) -> Path:
    """Has files of the same names as ours: whoever took them for ours would not get far."""
    for name in ("manage.py", "accounts.py", "streams.py", "templates/base.html", "var/secrets.env"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("raise SystemExit('of another project')\n")
    return tmp_path


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return int(answer.status)


def test_what_was_appended_in_an_empty_folder_is_there_after_a_restart_elsewhere(
    installed: Installation, tmp_path: Path, folder_of_another_project: Path
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()

    first = installed.start(folder)
    try:
        [answer] = installed.home.glob("first_start-*.json")
        key = json.loads(answer.read_text())["api_key"]
        commands = [command.replace("wait=20", "wait=0.2") for command in commands_of("README.md")]
        printed = run_commands(commands, cwd=tmp_path, API=f"{first.url}/api/v1", KEY=key)
        assert '"order_id":42' in printed.replace(" ", "")
        for page in ("sign-in", "docs/problems", "api/v1/docs", "static/eventflow/css/base.css", "readyz"):
            assert status_of(f"{first.url}/{page}") == 200, page
    finally:
        assert first.stop() == 0
    assert list(folder.iterdir()) == []

    second = installed.start(folder_of_another_project)
    try:
        assert "Preparing the database" not in second.terminal
        request = urllib.request.Request(
            f"{second.url}/api/v1/streams/demo/events?last_offset=0", headers={"X-API-Key": key}
        )
        with urllib.request.urlopen(request, timeout=30) as kept:
            events = json.loads(kept.read())
        assert [event["offset"] for event in events] == [1, 2, 3, 4, 5]
        assert events[0]["payload"] == {"order_id": 42}

        lag = installed.run("manage", "lag", "demo", cwd=folder_of_another_project)
        assert lag.returncode == 0, lag.stderr
        assert "demo-readers" in lag.stdout
        assert "verify_log" in installed.run("manage", "help", cwd=folder_of_another_project).stdout
    finally:
        assert second.stop() == 0


def test_it_says_its_version_and_what_there_is(installed: Installation, tmp_path: Path) -> None:
    # Two packages have a script of this name, and the one that was installed last is there.
    assert installed.run("--version", cwd=tmp_path).stdout.startswith(f"eventflow {VERSION}\neventflow-client ")
    overview = installed.run(cwd=tmp_path)
    assert overview.returncode == 0
    assert re.search(r"^  up +Start everything", overview.stdout, re.MULTILINE)
    assert installed.run("up", "--help", cwd=tmp_path).stdout.startswith("usage: eventflow up")


def test_a_command_that_lacks_a_setting_says_so_in_one_line(installed: Installation, tmp_path: Path) -> None:
    said = installed.run("manage", "lag", cwd=tmp_path, EVENTFLOW_HOME=str(tmp_path / "nothing"))

    assert said.returncode == 1
    assert said.stderr.startswith("SECRET_KEY is not set")
    assert "start with `eventflow up`" in said.stderr
    assert len(said.stderr.splitlines()) == 1


def test_it_is_the_package_and_not_the_checkout_that_ran(installed: Installation, tmp_path: Path) -> None:
    where = subprocess.run(
        [installed.environment / "bin" / "python", "-c", "import accounts, streams; print(accounts.__file__)"],
        cwd=tmp_path,
        env=clean_environment(**installed.variables()),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(str(installed.environment))
    assert str(PROJECT / "accounts") not in where
