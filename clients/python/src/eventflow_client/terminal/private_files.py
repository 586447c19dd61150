"""Files that are nobody else's business: written whole or not at all, and for their owner alone."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_OF_OTHERS: Final = 0o077


class ReadableByOthers(Exception):
    """Others on this machine may read the file; the text says how to mend it."""


def read(path: Path) -> bytes | None:
    """Return what is in the file, None if there is none.

    Raises:
        ReadableByOthers
        OSError
    """
    try:
        with path.open("rb") as file:
            if sys.platform != "win32" and os.fstat(file.fileno()).st_mode & _OF_OTHERS:
                raise ReadableByOthers(
                    f"{path} has credentials, and others on this machine may read it. Change the keys that are in it "
                    f"if somebody might have, then: chmod 600 {path}"
                )
            return file.read()
    except FileNotFoundError:
        return None


def write(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Put the content there, readable by nobody else, and its directory's too if that is new.

    Raises:
        FileExistsError: there is one, and it is not to be replaced.
        OSError
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Made with 0600.
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(name).replace(path)
        else:
            # Unlike a rename it takes nobody's place.
            os.link(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Do something to the file while no other command does."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.with_name(f".{path.name}.lock").open("ab") as file:
        if sys.platform == "win32":
            yield
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
            yield
