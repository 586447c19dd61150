"""Who comes in by the socket of a PostgreSQL that runs as somebody else than we do."""

import os
import pwd
import tempfile
from pathlib import Path


def admit_ourselves_alone(data: Path, *, role: str) -> None:
    """Let in nobody but the system's user that we are, under whatever role; read when the server starts."""
    ourselves = pwd.getpwuid(os.geteuid()).pw_name
    # Before PostgreSQL 16 `all` is a role of that name, which there is not.
    _put(data / "pg_ident.conf", f"eventflow {ourselves} {role}\neventflow {ourselves} all\n")
    _put(data / "pg_hba.conf", "local all all peer map=eventflow\n")


def _put(path: Path, text: str) -> None:
    """Replace a file in a directory that is another user's: a link that lies there is not followed."""
    descriptor, making = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), 0o644)
    Path(making).replace(path)
