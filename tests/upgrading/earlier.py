"""The code of an earlier commit, taken from the repository's history."""

import os
import subprocess
import sys
import tarfile
import uuid
from pathlib import Path

import pytest

from tests.run.instance import PROJECT, Program

# The package began with this page: whoever ran EventFlow before it ran the commit before.
FIRST_OF_THE_PACKAGE = "docs/adr/0039-the-server-is-a-package.md"


def commit_before_the_package() -> str:
    """Its hash; skips where there is no such history: in a shallow clone, and in what is no clone at all."""
    added = _git("log", "--diff-filter=A", "--format=%H %P", "--", FIRST_OF_THE_PACKAGE).split()
    if len(added) < 2:
        pytest.skip("needs the history from before the package: a full clone (git fetch --unshallow)")
    return added[1]


def check_out(commit: str) -> Path:
    """The files of that commit, in a directory inside this run's own."""
    place = Path(os.environ["EVENTFLOW_HOME"]) / f"earlier-{uuid.uuid4().hex[:8]}"
    place.mkdir()
    packed = place.with_suffix(".tar")
    _git("archive", f"--output={packed}", commit)
    with tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
    packed.unlink()
    return place


def up(checkout: Path) -> Program:
    return Program((sys.executable, "manage.py", "up"), checkout)


def _git(*words: str) -> str:
    try:
        done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        pytest.skip("needs git")
    if done.returncode != 0:
        pytest.skip(f"needs a git checkout: {done.stderr.strip()}")
    return done.stdout
