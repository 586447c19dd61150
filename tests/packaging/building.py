"""Builds the package and installs it, as whoever publishes it and whoever uses it would."""

import re
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.run.instance import PROJECT

PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
VERSION = PYPROJECT["project"]["version"]

# What pip says when it is the network that fails, and not the package.
_NO_NETWORK = re.compile("connection broken|NewConnectionError|ProxyError|Temporary failure in name resolution")


@dataclass(frozen=True)
class Built:
    sdist: Path
    wheel: Path


def build(directory: Path, source: Path = PROJECT) -> Built:
    """An sdist of a package, the server's unless another is named, and a wheel made from nothing but that."""
    _hatchling("sdist", source=source, to=directory)
    [sdist] = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory / "source", filter="data")
    [source] = (directory / "source").iterdir()
    _hatchling("wheel", source=source, to=directory)
    [wheel] = directory.glob("*.whl")
    return Built(sdist=sdist, wheel=wheel)


def install(wheel: Path, environment: Path, *beside: Path) -> None:
    """Make a virtual environment with the server's wheel, its extra `embedded`, and others of ours beside it.

    As in the Makefile: with uv, which has the versions of the lock file in its cache, and with pip where uv cannot.
    """
    uv, python = Path(sys.executable).with_name("uv"), environment / "bin" / "python"
    wanted = (
        f"eventflow[embedded] @ {wheel.as_uri()}",
        *(f"{other.name.partition('-')[0]} @ {other.as_uri()}" for other in beside),
    )
    _run(sys.executable, "-m", "venv", "--without-pip", environment).check_returncode()
    if uv.exists():
        constraint = PROJECT / "requirements-embedded.txt"
        done = _run(uv, "pip", "install", "--python", python, "--constraint", constraint, *wanted)
        if done.returncode == 0:
            return
    run_or_skip(sys.executable, "-m", "pip", "--python", python, "install", "--no-input", *wanted)


def run_or_skip(*command: str | Path) -> None:
    """Run what asks a package registry, which need not answer."""
    done = _run(*command)
    if done.returncode != 0 and _NO_NETWORK.search(done.stdout + done.stderr):
        pytest.skip("needs a package registry, which does not answer")
    assert done.returncode == 0, done.stdout + done.stderr


def _hatchling(target: str, *, source: Path, to: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(to)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
