"""Builds what is published: an sdist of the sources, and a wheel made from nothing but that."""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.release.packages import PROJECT, Package


class BuildFailed(Exception):
    """A build ended with an error, which is the message."""


@dataclass(frozen=True)
class Built:
    package: Package
    sdist: Path
    wheel: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.sdist, self.wheel


def build(package: Package, to: Path, scratch: Path, **environment: str) -> Built:
    """Build it into `to`; `scratch` is an empty directory for what lies between.

    Raises:
        BuildFailed
    """
    sdist = _hatchling("sdist", package.folder, scratch / "sdist", environment)
    with tarfile.open(sdist) as archive:
        archive.extractall(scratch / "source", filter="data")
    [source] = (scratch / "source").iterdir()
    wheel = _hatchling("wheel", source, scratch / "wheel", environment)
    return Built(package, Path(shutil.copy2(sdist, to)), Path(shutil.copy2(wheel, to)))


def time_of_the_sources() -> str:
    """When the last commit was made, for SOURCE_DATE_EPOCH: in seconds since 1970."""
    return _git("log", "-1", "--format=%ct").strip()


def copy_of_the_sources(to: Path) -> None:
    """Copy all that git tracks or would, with other times, into a directory with another path."""
    # Where the builder looks for what git ignores, it stops at this.
    (to / ".git").mkdir(parents=True)
    for name in sources():
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PROJECT / name, to / name)


def sources() -> list[str]:
    """The files that git tracks or would track, by their paths in the project."""
    names = _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    return sorted(name for name in names if name and (PROJECT / name).is_file() and not (PROJECT / name).is_symlink())


def uncommitted() -> Sequence[str]:
    return _git("status", "--porcelain").splitlines()


def _hatchling(target: str, source: Path, to: Path, environment: dict[str, str]) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(to)],
        cwd=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise BuildFailed(f"building the {target} of {source.name} failed:\n{done.stdout}{done.stderr}")
    [made] = to.iterdir()
    return made


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout
