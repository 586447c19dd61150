"""What a power cut leaves keeps nobody from starting again, however long it takes to mend."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventflow_site.embedded import postgres
from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.postgres import DURABLE, PostgresServer
from eventflow_site.supervisor.first_answer import keep_answer, read_answer
from tests.run.instance import Instance

pytestmark = pytest.mark.processes

ANSWER = {"admin_email": "admin@eventflow.local", "stream": "demo", "consumer_group": "demo-readers"}


@pytest.fixture
def sleeping() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PostgresServer:
    """One whose state is whatever stands in its pid file, and with which nobody has patience."""
    monkeypatch.setattr(postgres, "READY_SECONDS", 0.05)
    return PostgresServer(
        binaries=tmp_path,
        data=tmp_path,
        sockets=tmp_path,
        run_as=None,
        durability=DURABLE,
        log_path=tmp_path / "log",
    )


def say(server: PostgresServer, process: subprocess.Popen[bytes], state: str) -> None:
    (server.data / "postmaster.pid").write_text(f"{process.pid}\n" + "\n" * 6 + f"{state:8}\n")


def test_a_server_that_recovers_is_waited_for_as_long_as_it_takes(
    server: PostgresServer, sleeping: subprocess.Popen[bytes]
) -> None:
    say(server, sleeping, "starting")
    told: list[str] = []

    def tell(line: str) -> None:
        told.append(line)
        if len(told) == 3:
            threading.Timer(0.02, say, (server, sleeping, "ready")).start()

    server.wait_until_ready(sleeping, tell=tell)

    assert "still recovers" in told[0]


def test_one_that_ends_as_it_recovers_is_given_up(server: PostgresServer, sleeping: subprocess.Popen[bytes]) -> None:
    say(server, sleeping, "starting")

    with pytest.raises(CannotStart):
        server.wait_until_ready(sleeping, tell=lambda _: sleeping.kill())


def test_one_that_says_nothing_is_given_up(server: PostgresServer, sleeping: subprocess.Popen[bytes]) -> None:
    with pytest.raises(CannotStart):
        server.wait_until_ready(sleeping)


def test_nobody_has_to_wait_who_wants_to_stop(server: PostgresServer, sleeping: subprocess.Popen[bytes]) -> None:
    say(server, sleeping, "starting")

    server.wait_until_ready(sleeping, is_called_off=lambda: True)


@pytest.mark.parametrize("left", ["", '{"admin_em', "[]", "{}"])
def test_an_answer_that_a_power_cut_spoiled_is_none(tmp_path: Path, left: str) -> None:
    path = tmp_path / "first_start-0.json"
    path.write_text(left)

    assert read_answer(path) is None
    keep_answer(path, ANSWER)
    assert read_answer(path) == ANSWER


def test_a_first_start_that_a_power_cut_spoiled_is_made_up_for(prepared_home: Path) -> None:
    first = Instance(prepared_home).wait_until_greeted()
    assert first.stop() == 0
    [answer] = prepared_home.glob("first_start-*.json")
    answer.write_text("")

    second = Instance(prepared_home).wait_until_greeted()

    assert "admin@eventflow.local" in second.terminal
    assert second.stop() == 0
