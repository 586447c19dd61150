"""`eventflow` where only the client is installed, only the server, and both in either order: real wheels, real environments."""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from eventflow_client.terminal.subcommands import OWN

from tests.packaging.building import build

pytestmark = [pytest.mark.processes, pytest.mark.slow("builds both packages, and installs them into four environments")]
PYTHON = Path(__file__).resolve().parents[1]
OF_THE_SERVER = ["up", "manage"]


@dataclass(frozen=True)
class Environment:
    place: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.place), "EVENTFLOW_HOME": str(self.place / "home")}
        return subprocess.run(
            [self.place / "bin" / "eventflow", *words],
            cwd=self.place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def listed(self) -> set[str]:
        return {line.split()[0] for line in self.run().stdout.splitlines() if line.startswith("  ")}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, Path]:
    client, server = (tmp_path_factory.mktemp(name) for name in ("client", "server"))
    return {"client": build(client, PYTHON).wheel, "server": build(server).wheel}


@pytest.fixture
def environment(wheels, tmp_path) -> Callable[..., Environment]:
    """Installs these one after the other into a new environment, which has the libraries of this one."""

    def install(*packages: str) -> Environment:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
        (libraries,) = tmp_path.glob("lib/python*/site-packages")
        (libraries / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
        uv = Path(sys.executable).with_name("uv")
        installer = (
            [uv, "pip", "install", "--offline", "--python", tmp_path / "bin" / "python"]
            if uv.exists()
            else [sys.executable, "-m", "pip", "--python", tmp_path / "bin" / "python", "install", "--no-index"]
        )
        for package in packages:
            done = subprocess.run(
                [*installer, "--no-deps", wheels[package]], check=False, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
        return Environment(tmp_path)

    return install


def test_the_client_alone(environment):
    alone = environment("client")

    assert alone.listed() == set(OWN)
    assert alone.run("tail", "--help").stdout.startswith("usage: eventflow tail")
    missing = alone.run("up")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "`eventflow up` comes with eventflow, which is not installed here: pip install eventflow\n"
    assert alone.run("--version").stdout.startswith("eventflow-client ")


def test_the_server_alone(environment):
    alone = environment("server")

    assert alone.listed() == set(OF_THE_SERVER)
    assert alone.run("up", "--help").stdout.startswith("usage: eventflow up")
    missing = alone.run("tail")
    assert missing.returncode == 2
    assert "comes with eventflow-client, which is not installed here" in missing.stderr


@pytest.mark.parametrize("order", [("client", "server"), ("server", "client")], ids=" then ".join)
def test_both_whichever_script_is_the_last(environment, order):
    both = environment(*order)

    assert both.listed() == {*OWN, *OF_THE_SERVER}
    for words in ("tail", "up", "doctor"):
        done = both.run(words, "--help")
        assert (done.returncode, done.stdout.startswith(f"usage: eventflow {words}")) == (0, True), done.stderr
    assert both.run("dance").returncode == 2
