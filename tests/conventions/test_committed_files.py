"""What is committed belongs to everybody: no machine's paths, no registry's address, no one's secrets."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
VENDORED = re.compile(r"(^|/)vendor/|\.min\.(js|css)$|^LICENSE$")
BINARY = re.compile(r"\.(png|ico|woff2?|gz|webp|jpg)$")

# With a letter in brackets, so that this file does not find itself.
FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.])/(work|root|home/[a-z]+|Users/[A-Za-z]+)/",
    "a package registry": r"[p]ythonhosted|[p]ypi\.org|[r]egistry\.npmjs|[a]rtifactory|(?<!no-emit-)[i]ndex-url",
    "an issue number": r"\b(issue|ticket|closes|fixes) #?\d+",
    "who or what wrote it": "[s]ubagent|[c]laude|[a]nthropic|[c]o-authored|[t]his session|[A]I assistant",
    "a private key": "-----[B]EGIN [A-Z ]*PRIVATE KEY",
    "a left-over of a merge": "^(<{7}|>{7}) ",
    "an API key": r"evf_live_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}\b",
}


@cache
def committed_files() -> dict[str, str]:
    """The text of each, by its path in the project."""
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    names = [name for name in listing.stdout.decode().split("\0") if name]
    paths = {name: PROJECT / name for name in names if not VENDORED.search(name) and not BINARY.search(name)}
    return {name: path.read_text("utf-8", "replace") for name, path in paths.items() if path.is_file()}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_no_committed_file_mentions(kind):
    pattern = re.compile(FORBIDDEN[kind], re.IGNORECASE | re.MULTILINE)
    found = [f"{name}: {match[0]}" for name, text in committed_files().items() for match in pattern.finditer(text)]
    assert found == []


def test_lock_files_have_a_hash_for_everything():
    for path in PROJECT.glob("requirements*.txt"):
        pinned = re.findall(r"^([a-z0-9][\w.-]*)==", path.read_text(), re.MULTILINE)
        hashed = re.findall(r"^([a-z0-9][\w.-]*)==[^\n]*\\\n\s+--hash=sha256:", path.read_text(), re.MULTILINE)
        assert pinned == hashed, path.name
