"""Whether the embedded database already has everything that this version brings.

Asking Django takes a second; a note of what was migrated last, kept beside the data, takes none.
"""

import hashlib
import sys
from pathlib import Path

from eventflow_site.layout import CODE, IS_INSTALLED, PACKAGES


def fingerprint() -> str:
    """Stands for every migration there is: our own files, and the libraries by their versions."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (CODE / package).glob("migrations/*.py")):
        digest.update(str(path.relative_to(CODE)).encode() + b"\0" + path.read_bytes())
    digest.update(_libraries())
    # What a first start creates may change as well.
    digest.update((CODE / "eventflow_site" / "first_start.py").read_bytes())
    return digest.hexdigest()


def is_up_to_date(note: Path) -> bool:
    try:
        return note.read_text() == fingerprint()
    except OSError:
        return False


def remember(note: Path) -> None:
    note.write_text(fingerprint())


def _libraries() -> bytes:
    """The lock file of a checkout; else what is installed, each by a directory that has its version in its name."""
    if not IS_INSTALLED:
        return (CODE / "requirements.txt").read_bytes()
    installed = (path.name for place in sys.path if place for path in Path(place).glob("*.dist-info"))
    return "\n".join(sorted(installed)).encode()
