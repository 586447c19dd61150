"""An image to build on where no registry of images is: the files of Debian's packages, and nothing set up."""

import shutil
import subprocess
from pathlib import Path

import pytest

# What it is called once an engine has it.
BASE = "localhost/base:debian"
PACKAGES = ("base-files", "base-passwd", "passwd", "coreutils", "dash", "libc-bin", "python3", "python3-venv", "tzdata")
# What the packages' own scripts would do. The certificates are those that this machine trusts.
_SET_UP = """
cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
mkdir -p "$1/etc/ssl/certs"
cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
"""


def make_base(archive: Path) -> None:
    """Write the files of an image with Python into a tar archive; skip the test where they cannot be had."""
    mmdebstrap = shutil.which("mmdebstrap")
    if mmdebstrap is None:
        pytest.skip("needs mmdebstrap: apt-get install mmdebstrap")
    release = suite()
    if release is None:
        pytest.skip("makes its base image from the Debian packages of this machine, and this is no Debian")
    done = subprocess.run(
        [
            *(mmdebstrap, "--quiet", "--mode=root", "--variant=extract", f"--include={','.join(PACKAGES)}"),
            *("--aptopt=Acquire::Languages none", f"--extract-hook={_SET_UP}", release, str(archive)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if "Unable to fetch" in done.stderr or "Failed to fetch" in done.stderr:
        pytest.skip(f"needs Debian's packages, which do not answer: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr


def suite() -> str | None:
    """The name of this machine's Debian, if it is one."""
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return None
    said = dict(line.split("=", 1) for line in lines if "=" in line)
    return said.get("VERSION_CODENAME") if said.get("ID") == "debian" else None
