"""A real Kafka cluster on this machine, without containers: nodes that are brokers and controllers at once.

They listen on 127.0.0.1 alone, and end with the process that started them, however that ends.
"""

import base64
import contextlib
import os
import re
import shutil
import signal
import socket
import struct
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
# Metadata, version 1, correlation id 1, no client id, of no topic.
_QUESTION: Final = bytes.fromhex("0000000e" + "00030001" + "00000001" + "ffff" + "00000000")
# Of the answer: its length, the correlation id, and how many brokers follow.
_ANSWER: Final = struct.Struct(">iii")


class KafkaCluster:
    """Nodes 1 to `count` in a directory. `start` once; each node may be killed, paused and started again.

    Args:
        is_for_speed: let Java compile in full what is run often. Without it a node starts with 3 instead of 5 seconds of
            a processor.
    """

    def __init__(self, directory: Path, *, count: int, is_for_speed: bool = False) -> None:
        self._directory = directory
        self._compiles = () if is_for_speed else ("-XX:TieredStopAtLevel=1",)
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
        """Return when every node answers, and has heard of all others: before that no topic has a replica on each."""
        self._directory.mkdir(parents=True, exist_ok=True)
        (self._directory / "tmp").mkdir(exist_ok=True)
        (self._directory / "log4j2.properties").write_text(LOGGING)
        self._format()
        for node in self.nodes:
            self._launch(node)
        for node in self.nodes:
            self._wait_until_up(node)

    def start_again(self, *nodes: int) -> None:
        """Start nodes that were killed, with what they have stored; they end with the thread that calls this."""
        for node in nodes:
            self._launch(node)
        for node in nodes:
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

    def process_id(self, node: int) -> int:
        return self._processes[node].pid

    def stop(self) -> None:
        """End all nodes at once. An orderly end would take seconds, for what nobody reads any more."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def _format(self) -> None:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        for node in self.nodes:
            self._settings(node).write_text(properties(node, self._ports, self._storage(node)))
        first, *others = self.nodes
        command = self._java("kafka.tools.StorageTool", "format", "-t", identity, "-c", str(self._settings(first)))
        subprocess.run(command, stdout=subprocess.DEVNULL, cwd=self._directory, check=True)
        # What the tool makes for another node differs in two lines, and costs another start of Java.
        made = (self._storage(first) / "meta.properties").read_text()
        for node in others:
            shutil.copytree(self._storage(first), self._storage(node))
            own = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            text = re.sub(r"(?m)^node\.id=.*$", f"node.id={node}", made)
            text = re.sub(r"(?m)^directory\.id=.*$", f"directory.id={own}", text)
            (self._storage(node) / "meta.properties").write_text(text)

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
        while _known_brokers(self._ports[node - 1].broker) < sum(map(self.is_running, self.nodes)):
            if self._processes[node].poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"node {node} did not start:\n{self._log(node).read_text()[-2_000:]}")
            time.sleep(0.1)

    def _storage(self, node: int) -> Path:
        return self._directory / f"node{node}"

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
            *self._compiles,
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


def _known_brokers(port: int) -> int:
    """Return of how many brokers the one that listens there knows; 0: nobody answers."""
    with contextlib.suppress(OSError, struct.error), socket.create_connection(("127.0.0.1", port), timeout=1) as one:
        one.sendall(_QUESTION)
        _, _, count = _ANSWER.unpack(one.recv(_ANSWER.size))
        return int(count)
    return 0
