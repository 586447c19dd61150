"""Podman with a storage of its own: it builds what the Dockerfile says, and runs it as real containers."""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.run.instance import PROJECT, wait_for

# A run that is killed leaves no container for longer.
LONGEST_SECONDS = 600
# A directory of this machine, which a build does not see.
_OF_THIS_MACHINE = "find-links"


class Engine:
    """One storage of images and containers."""

    def __init__(self, place: Path, program: str) -> None:
        self.place = place
        self._program = program
        # It would ask for more open files than it may have itself, where it may not raise its own limit.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        limit = min(most, 65_536) if most != resource.RLIM_INFINITY else 65_536
        (place / "containers.conf").write_text(
            f'[containers]\ndefault_ulimits = ["nofile={limit}:{limit}", "nproc=4096:4096"]\n[engine]\nruntime = "runc"\n'
        )

    def run(self, *words: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self._command(words), capture_output=True, text=True, check=False, timeout=timeout)

    def ask(self, *words: str, timeout: float = 120) -> str:
        """What it prints; that it works is part of the test."""
        done = self.run(*words, timeout=timeout)
        assert done.returncode == 0, f"podman {' '.join(words)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def inspect(self, name: str) -> dict[str, Any]:
        [found] = json.loads(self.ask("inspect", name))
        return dict(found)

    def build(self, *, base: str, tag: str) -> None:
        """Build deploy/Dockerfile; skip where packages cannot be had."""
        settings = self.place / "pip.conf"
        settings.write_text(_pip_settings())
        done = self.run(
            *("build", "--isolation", "chroot", "--format", "docker", "--layers=false", "--network", "host"),
            *("--secret", f"id=pip.conf,src={settings}", "--build-arg", f"BASE={base}"),
            *("--file", str(PROJECT / "deploy/Dockerfile"), "--tag", tag, str(PROJECT)),
            timeout=480,
        )
        said = done.stdout + done.stderr
        if done.returncode != 0 and any(
            words in said for words in ("connection broken", "Connection refused", "Name or service not known")
        ):
            pytest.skip(f"needs a registry of packages, which does not answer: {said[-300:]}")
        assert done.returncode == 0, said[-3000:]

    def end(self) -> None:
        self.run("rm", "--all", "--force", "--time", "0")

    def _command(self, words: tuple[str, ...]) -> list[str]:
        return [
            *("env", f"CONTAINERS_CONF={self.place / 'containers.conf'}", f"TMPDIR={self.place}", self._program),
            *("--root", str(self.place / "root"), "--runroot", str(self.place / "run"), *words),
        ]


class Container:
    """One container, from its start on."""

    def __init__(self, engine: Engine, image: str, *words: str, options: tuple[str, ...] = ()) -> None:
        self.engine = engine
        self.name = f"eventflow-{uuid.uuid4().hex[:8]}"
        engine.ask("run", "--detach", "--name", self.name, "--timeout", str(LONGEST_SECONDS), *options, image, *words)

    @property
    def address(self) -> str:
        networks = self.engine.inspect(self.name)["NetworkSettings"]["Networks"]
        [address] = [network["IPAddress"] for network in networks.values()]
        return str(address)

    @property
    def log(self) -> str:
        done = self.engine.run("logs", self.name)
        return done.stdout + done.stderr

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        state = self.engine.inspect(self.name)["State"]
        return None if state["Running"] else int(state["ExitCode"])

    def execute(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        variables = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        return self.engine.run("exec", *variables, self.name, *words)

    def ask(self, *words: str, **environment: str) -> str:
        done = self.execute(*words, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def is_healthy(self) -> bool:
        """Look once, by the image's own HEALTHCHECK."""
        return self.engine.run("healthcheck", "run", self.name).returncode == 0

    def wait_until_healthy(self) -> "Container":
        wait_for("a healthy container", lambda: self.is_healthy() or self.exit_code is not None)
        assert self.exit_code is None, self.log
        return self

    def wait_for_end(self) -> int:
        wait_for("its end", lambda: self.exit_code is not None)
        code = self.exit_code
        assert code is not None
        return code

    def stop(self, *, grace_seconds: int) -> int:
        """Ask it to end, and kill it after so many seconds, as any engine does; its exit code, 137 if it was killed."""
        self.engine.ask("stop", "--time", str(grace_seconds), self.name)
        return self.wait_for_end()


@contextmanager
def podman() -> Iterator[Engine]:
    """An engine that can run containers; skip the test where there is none."""
    program = shutil.which("podman")
    if program is None or shutil.which("runc") is None:
        pytest.skip("needs Podman: apt-get install podman runc")
    if os.geteuid() != 0:
        pytest.skip("makes users, networks and limits of its own, which root alone may")
    # Its sockets have paths that must be short.
    place = Path(tempfile.mkdtemp(prefix="ef-", dir="/tmp"))
    engine = Engine(place, program)
    try:
        yield engine
    finally:
        engine.end()
        # Storage that is still mounted is not ours to remove.
        if not any(f" {place}/" in line for line in Path("/proc/self/mounts").read_text().splitlines()):
            shutil.rmtree(place, ignore_errors=True)


def runs_containers(engine: Engine, image: str, options: tuple[str, ...]) -> str | None:
    """None, or what the engine says where it cannot run them."""
    done = engine.run("run", "--rm", *options, image, "python3", "--version")
    return None if done.returncode == 0 else done.stderr.strip()


def _pip_settings() -> str:
    """What pip is told on this machine, of where packages are and whom to trust there."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    told: Mapping[str, str] = {
        name.rpartition(".")[2]: value.strip("'")
        for name, _, value in (line.partition("=") for line in done.stdout.splitlines())
    }
    lines = [f"{name} = {value}" for name, value in told.items() if name != _OF_THIS_MACHINE]
    return "\n".join(["[global]", *lines, ""])
