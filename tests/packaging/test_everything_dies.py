"""Server and client from their wheels, in an empty folder: programs and server are killed, and every event is there once."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.packaging.installation import Installation
from tests.run.instance import PROJECT, Instance, clean_environment, wait_for
from tests.upgrading.person import Person

PROGRAMS = PROJECT / "clients" / "python" / "tests" / "killed_programs.py"
# Times are short, so that what a killed consumer held comes back soon.
GROUP = {"name": "copier", "mode": "lease", "ack_wait": 2, "backoff": [0], "max_failures": 20, "start": "earliest"}

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow("installs the packages, and waits for the leases of what was killed to run out"),
]


@contextmanager
def program(installed: Installation, folder: Path, *words: str) -> Iterator["Program"]:
    """One of the client's programs, run by the Python that the packages were installed for; killed in the end."""
    running = Program(installed, folder, *words)
    try:
        yield running
    finally:
        running.process.send_signal(signal.SIGKILL)
        running.process.wait()


class Program:
    def __init__(self, installed: Installation, folder: Path, *words: str) -> None:
        self._said = folder / f"{words[0]}-{len(list(folder.iterdir()))}.txt"
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                [installed.environment / "bin" / "python", folder / PROGRAMS.name, *words],
                cwd=folder,
                env=clean_environment(**installed.variables()),
                stdout=output,
            )

    def said(self) -> list[int]:
        """The numbers that it has told so far, one whole line each."""
        return [int(line) for line in self._said.read_text().split("\n")[:-1]]


def test_every_event_is_there_once_though_producer_consumer_and_server_were_killed(
    installed: Installation, tmp_path: Path
) -> None:
    shutil.copy(PROGRAMS, tmp_path)
    server = installed.start(tmp_path)
    try:
        scopes = [word for scope in ("produce", "consume", "manage") for word in ("--scope", scope)]
        made = installed.run("manage", "create_key", "admin@eventflow.local", "--name", "test", *scopes, cwd=tmp_path)
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        shop = Person(server.url, key=key)
        for name in ("orders", "copies"):
            shop.ask("POST", "/streams", {"name": name})
        shop.ask("POST", "/streams/orders/consumer-groups", GROUP)
        api = (server.url, key)

        with program(installed, tmp_path, "produce", *api, "orders") as producer:
            wait_for("events that are certain", lambda: len(producer.said()) >= 100)
        with program(installed, tmp_path, "pipe", *api, "orders", "copier", "copies") as consumer:
            wait_for("some copies", lambda: len(consumer.said()) >= 10)
        certain = len(producer.said())
        _kill(server)

        server = installed.start(tmp_path)
        shop = shop.at(server.url)
        orders = shop.events("orders")
        assert len(orders) >= certain
        assert [event["payload"] for event in orders] == list(range(len(orders)))
        with program(installed, tmp_path, "pipe", server.url, key, "orders", "copier", "copies"):
            wait_for("a copy of each", lambda: len(shop.events("copies")) >= len(orders))
            wait_for("an end", lambda: shop.group("copier")["lag"] == 0)
        assert sorted(event["payload"] for event in shop.events("copies")) == list(range(len(orders)))
    finally:
        server.stop()


def _kill(server: Instance) -> None:
    """As if the machine had lost its power, but for the disk."""
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    wait_for("its programs to be gone", lambda: not server.answers())
