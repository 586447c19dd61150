"""What a test run starts: only what its tests need. What it leaves: nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eventflow_site.supervisor import migrated
from tests import migrated_cluster
from tests.run.instance import PROJECT, clean_environment, command_line, family_of, is_alive, wait_for

NEEDS_SERVERS = """
import os, pathlib, time
import pytest

@pytest.mark.database
def test_it_takes_its_time():
    pathlib.Path("{told}").write_text(os.environ["EVENTFLOW_HOME"])
    time.sleep(60)
"""
SPY = """
import os, sys
def pytest_unconfigure(config):
    with open("{told}", "w") as file:
        print(os.environ["EVENTFLOW_HOME"], *started, file=file)
started = []
sys.addaudithook(lambda event, arguments: started.append(arguments[0]) if event == "subprocess.Popen" else None)
"""


def begin(directory: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start a run with its tests outside of this project, so that nobody else runs them."""
    options = ["-c", str(PROJECT / "pyproject.toml"), f"--rootdir={PROJECT}", "-p", "no:cacheprovider"]
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *arguments, str(directory)],
        cwd=PROJECT,
        env=_own_environment(directory),
        stdout=subprocess.DEVNULL,
    )


def _own_environment(directory: Path) -> dict[str, str]:
    """Without what this run's own workers are told: the other run would take itself for one of them."""
    inherited = clean_environment(PYTHONPATH=str(directory))
    return {name: value for name, value in inherited.items() if not name.startswith("PYTEST_")}


def programs(pid: int) -> dict[int, str]:
    return {each: command_line(each) for each in family_of(pid)}


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_servers_end_with_a_run_that_is_killed_and_the_next_one_sweeps_up(tmp_path, workers):
    told = tmp_path / "told"
    (tmp_path / "test_slowly.py").write_text(NEEDS_SERVERS.format(told=told))
    run = begin(tmp_path, "-n", workers)
    try:
        wait_for("the test", lambda: told.exists() and told.read_text(), seconds=240)
        started = programs(run.pid)
    finally:
        run.kill()
        run.wait()
    home = Path(told.read_text())

    assert any("postgres -D" in line for line in started.values())
    assert any("valkey-server" in line for line in started.values())
    wait_for("their end", lambda: not any(map(is_alive, started)))
    assert home.exists()

    (tmp_path / "spy.py").write_text(SPY.format(told=told))
    assert begin(tmp_path, "--collect-only", "-p", "spy").wait(60) == 0
    second_home, *started_by_collecting = told.read_text().split()
    assert started_by_collecting == []
    assert not home.exists()
    assert not Path(second_home).exists()


def test_who_starts_a_program_has_to_say_so():
    with pytest.raises(pytest.fail.Exception, match=r"It starts a program \(true\) and is not marked"):
        subprocess.run(["true"], check=False)
    with pytest.raises(pytest.fail.Exception, match=r"os\.fork"):
        os.fork()


def test_another_migration_makes_another_cluster(tmp_path, monkeypatch):
    def version() -> str:
        return migrated_cluster.version_of(Path(sys.executable).parent, "python")

    monkeypatch.setattr(migrated, "CODE", tmp_path)
    for path in ("requirements.txt", "eventflow_site/first_start.py", "streams/migrations/0001_first.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    before = version()
    assert version() == before
    (tmp_path / "streams/migrations/0001_first.py").write_text("changed")
    changed = version()
    (tmp_path / "streams/migrations/0002_second.py").write_text("")
    assert len({before, changed, version()}) == 3
