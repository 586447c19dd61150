"""A real Kafka cluster on this machine, without containers: nodes that are brokers and controllers at once.

They listen on 127.0.0.1 alone, and end with the process that started them, however that ends.
"""

import base64
import contextlib
import os
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eventflow_site.embedded.process import start_process
from tests.kafka.jars import get_jars
from tests.kafka.node_settings import LOGGING, Ports, properties

HEAP_MB: Final = 256
READY_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0
# ApiVersions, version 0, correlation id 1, no client id; and how the answer to it begins, behind its length.
_QUESTION: Final = bytes.fromhex("0000000a00120000" + "00000001" + "ffff")
_ANSWER: Final = bytes.fromhex("00000001")


class KafkaCluster:
    """Nodes 1 to `count` in a directory. `start` once; each node may be killed, paused and started again."""

    def __init__(self, directory: Path, *, count: int) -> None:
        self._directory = directory
        self._jars = get_jars()
        self._ports = _free_ports(count)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def nodes(self) -> range:
        return range(1, len(self._ports) + 1)

    @property
    def addresses(self) -> str:
        """What clients call bootstrap servers."""
        return ",".join(f"127.0.0.1:{each.broker}" for each in self._ports)

    def start(self) -> None:
        """Return when every node answers."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "tmp").mkdir(exist_ok=True)
        (self._directory / "log4j2.properties").write_text(LOGGING)
        self._format()
        for node in self.nodes:
            self._launch(node)
        for node in self.nodes:
            self._wait_until_up(node)

    def start_again(self, node: int) -> None:
        """Start a node that was killed, with what it has stored."""
        self._launch(node)
        self._wait_until_up(node)

    def kill(self, node: int) -> None:
        self._processes[node].kill()
        self._processes[node].wait()

    def pause(self, node: int) -> None:
        """Let it hang: its connections stay, and nobody answers."""
        self._processes[node].send_signal(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        self._processes[node].send_signal(signal.SIGCONT)

    def is_running(self, node: int) -> bool:
        return node in self._processes and self._processes[node].poll() is None

    def stop(self) -> None:
        """End all nodes."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                # An orderly end waits for a majority of controllers, which may be gone.
                process.kill()
                process.wait()

    def _format(self) -> None:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Side by side: one after the other would cost a start of Java each.
        formatters = []
        for node in self.nodes:
            self._settings(node).write_text(properties(node, self._ports, self._directory / f"node{node}"))
            command = self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._settings(node)))
            formatters.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=self._directory))
        assert {formatter.wait() for formatter in formatters} == {0}, "a node could not be formatted"

    def _launch(self, node: int) -> None:
        assert not self.is_running(node)
        with self._log(node).open("ab") as log:
            self._processes[node] = start_process(
                self._java("kafka.Kafka", str(self._settings(node))),
                output=log,
                env=os.environ,
                cwd=self._directory,
                death_signal=signal.SIGKILL,
            )

    def _wait_until_up(self, node: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not _is_up(self._ports[node - 1].broker):
            if self._processes[node].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"node {node} did not start:\n{self._log(node).read_text()[-2_000:]}")
            time.sleep(0.1)

    def _settings(self, node: int) -> Path:
        return self._directory / f"node{node}.properties"

    def _log(self, node: int) -> Path:
        return self._directory / f"node{node}.log"

    def _java(self, *arguments: str) -> list[str]:
        return [
            "java",
            "-Xms128m",
            f"-Xmx{HEAP_MB}m",
            "-XX:+UseSerialGC",
            "-XX:MaxMetaspaceSize=160m",
            "-XX:ReservedCodeCacheSize=64m",
            "-Xss512k",
            "-Djava.awt.headless=true",
            # lz4 and zstd unpack native code there, which must be allowed to run.
            f"-Djava.io.tmpdir={self._directory / 'tmp'}",
            f"-Dlog4j2.configurationFile={self._directory / 'log4j2.properties'}",
            "-cp",
            f"{self._jars}/*",
            *arguments,
        ]


def _free_ports(count: int) -> Sequence[Ports]:
    """Ports below the range that outgoing connections take: a node that starts again finds its own free."""
    found: list[int] = []
    with contextlib.ExitStack() as taken:
        port = 20_000 + os.getpid() * 7 % 8_000
        while len(found) < 2 * count:
            port += 1
            one = taken.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
    return [Ports(found[2 * index], found[2 * index + 1]) for index in range(count)]


def _is_up(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as one:
        one.sendall(_QUESTION)
        return one.recv(8)[4:8] == _ANSWER
    return False
