"""One instance as a newcomer meets it: what it prints works, and what dies comes back."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.instance import PROJECT, Instance, children_of, clean_environment, is_alive, wait_for

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")]

CHILDREN = {
    "web": "granian",
    "worker": "background.worker",
    "beat": "background.beat",
    "postgres": "postgres -D",
    "valkey": "valkey-server",
}


def paste(line: str) -> object:
    pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(pasted.stdout)


def test_the_printed_lines_append_an_event_read_it_back_and_commit_it(running: Instance) -> None:
    append, read, commit = running.lines_to_paste()

    appended = paste(append)
    events = paste(read)
    committed = paste(commit)

    assert isinstance(appended, dict)
    assert isinstance(events, list)
    assert appended["id"] in [event["id"] for event in events]
    assert "committed" in json.dumps(committed)


def test_the_greeting_tells_the_address_and_the_first_admins_credentials(running: Instance) -> None:
    secrets = dict(
        line.split("=", 1) for line in (running.home / "secrets.env").read_text().splitlines() if "=" in line
    )

    assert f"{running.url}/admin/" in running.terminal
    assert f"{running.url}/api/v1/docs" in running.terminal
    assert "admin@eventflow.local" in running.terminal
    assert secrets["EVENTFLOW_ADMIN_PASSWORD"] in running.terminal


def test_only_its_owner_can_read_what_the_home_keeps(running: Instance) -> None:
    assert stat.S_IMODE(running.home.stat().st_mode) & 0o067 == 0
    for path in (running.home / "secrets.env", running.home / "run.env", *running.home.glob("first_start-*.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    for directory in ("logs", "postgres", "valkey"):
        assert stat.S_IMODE((running.home / directory).stat().st_mode) == 0o700, directory


def test_a_command_in_a_second_terminal_finds_the_running_servers(running: Instance) -> None:
    shown = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--check"],
        cwd=PROJECT,
        env=clean_environment(EVENTFLOW_HOME=str(running.home)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert shown.returncode == 0, shown.stderr


def test_the_worker_knows_which_disk_to_watch(running: Instance) -> None:
    worker = running.child("background.worker")
    environment = dict(line.split("=", 1) for line in Path(f"/proc/{worker}/environ").read_text().split("\0") if line)

    assert environment["EVENTFLOW_DISK_PATH"] == str((running.home / "postgres").resolve() / "data")
    assert os.statvfs(environment["EVENTFLOW_DISK_PATH"]).f_blocks > 0


def test_the_terminal_stays_calm(running: Instance) -> None:
    # The address comes first: nothing of what servers say in passing stands in its way.
    before, _, _ = running.terminal.partition("EventFlow is up at")

    assert [line for line in before.splitlines() if line.strip()] == ["Preparing the database …"]


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_that_is_killed_comes_back(running: Instance, name: str) -> None:
    words = CHILDREN[name]
    wait_for(f"{name} before", lambda: running.child(words))
    before = running.child(words)
    assert before is not None

    os.kill(before, signal.SIGKILL)

    wait_for(f"{name} again", lambda: running.child(words) not in (None, before))
    assert f"{name} ended (SIGKILL)" in running.terminal
    wait_for("an append to be stored", running.stores_an_event)


def test_the_web_servers_workers_do_not_outlive_its_main_process(running: Instance) -> None:
    main = running.child("granian")
    assert main is not None
    wait_for("a worker", lambda: children_of(main))
    workers = children_of(main)

    # The supervisor would clear them away as well: it is not to be needed for this.
    running.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(main, signal.SIGKILL)

        wait_for("the workers to end", lambda: not any(is_alive(pid) for pid in workers))
    finally:
        running.process.send_signal(signal.SIGCONT)
    wait_for("an append to be stored", running.stores_an_event)


def test_a_web_worker_that_is_killed_comes_back(running: Instance) -> None:
    main = running.child("granian")
    assert main is not None
    wait_for("a worker", lambda: children_of(main))
    (worker,) = children_of(main)

    os.kill(worker, signal.SIGKILL)

    wait_for("another worker", lambda: children_of(main) not in ([], [worker]))
    wait_for("an append to be stored", running.stores_an_event)


def test_a_second_up_in_the_same_home_is_told_of_the_first(running: Instance) -> None:
    second = Instance(running.home)

    assert second.process.wait(60) == 1
    assert f"already running in {running.home} (process {running.process.pid})" in second.terminal
    assert running.answers()


def test_a_web_worker_shares_most_of_its_memory_with_the_process_that_it_is_forked_from(running: Instance) -> None:
    main = running.child("granian")
    assert main is not None
    (worker,) = children_of(main)
    rollup = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in rollup)}

    assert kilobytes["Private_Dirty"] < kilobytes["Rss"] / 2
