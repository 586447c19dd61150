"""Whether the embedded database already has everything that this version brings.

Asking Django takes a second; a note of what was migrated last, kept beside the data, takes none.
"""

import hashlib
from pathlib import Path

from eventflow_site.supervisor.configuration import PROJECT


def fingerprint() -> str:
    """Stands for every migration there is: our own files, and the libraries by the lock file."""
    digest = hashlib.sha256()
    for path in sorted(PROJECT.glob("*/migrations/*.py")):
        digest.update(str(path.relative_to(PROJECT)).encode() + b"\0" + path.read_bytes())
    digest.update((PROJECT / "requirements.txt").read_bytes())
    # What a first start creates may change as well.
    digest.update((PROJECT / "eventflow_site" / "first_start.py").read_bytes())
    return digest.hexdigest()


def is_up_to_date(note: Path) -> bool:
    try:
        return note.read_text() == fingerprint()
    except OSError:
        return False


def remember(note: Path) -> None:
    note.write_text(fingerprint())
