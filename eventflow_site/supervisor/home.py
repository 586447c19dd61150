"""EVENTFLOW_HOME: the directory that holds everything one installation must not lose or show."""

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.places import unprivileged_user

FIRST_ADMINS_VARIABLE = "EVENTFLOW_ADMIN_PASSWORD"


@dataclass(frozen=True)
class Home:
    """An installation's directory, held by this process alone until it ends."""

    path: Path
    lock: IO[str]

    @property
    def secrets_file(self) -> Path:
        return self.path / "secrets.env"

    @property
    def run_file(self) -> Path:
        return self.path / "run.env"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def directory(self, name: str) -> Path:
        """A private directory for one purpose."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path


def open_home(path: Path) -> Home:
    """Create `path` if need be, and hold it.

    Raises:
        CannotStart: it is not writable, or another `up` holds it.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if _is_ours(path):
            _close(path)
        lock = _open_private(path / "up.lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise CannotStart(
            f"EVENTFLOW_HOME {path} cannot be written: {error.strerror}.",
            "Give it to this user, or set EVENTFLOW_HOME to a directory of your own.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = lock.read().strip() or "unknown"
        raise CannotStart(
            f"EventFlow is already running in {path} (process {holder}).",
            f"Stop it (kill {holder}), or set EVENTFLOW_HOME and PORT to start a second one.",
        ) from error
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    home = Home(path=path, lock=lock)
    home.directory("logs")
    return home


def _is_ours(path: Path) -> bool:
    """Whether nothing else lives in `path`: closing /tmp to everybody would be no kindness."""
    names = {entry.name for entry in path.iterdir()}
    return not names - {"lost+found", "test"} or "up.lock" in names


def _close(path: Path) -> None:
    server = unprivileged_user()
    if server is None:
        path.chmod(0o700)
        return
    # Root's PostgreSQL runs as nobody, who has to pass through to its own data; nobody else.
    os.chown(path, 0, server.gid)
    path.chmod(0o710)


def read_env_file(path: Path) -> dict[str, str]:
    """NAME=value lines; a missing file is an empty one."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def write_env_file(path: Path, variables: dict[str, str], *, heading: str) -> None:
    """Replace `path` (0600) in one step: a reader finds the old lines or the new ones."""
    draft = path.with_name(path.name + ".new")
    with _open_private(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as file:
        file.write(f"# {heading}\n")
        file.writelines(f"{name}={variables[name]}\n" for name in variables)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def keep_secrets(home: Home, *, generate: tuple[str, ...]) -> dict[str, str]:
    """The kept secrets, after generating those of `generate` that nobody has given yet."""
    kept = read_env_file(home.secrets_file)
    missing = [name for name in generate if name not in kept and not os.environ.get(name)]
    if missing:
        kept |= {name: _new_secret(name) for name in missing}
        write_env_file(home.secrets_file, kept, heading="Generated at the first start. Keep it secret, and keep it.")
    return kept


def _new_secret(name: str) -> str:
    # A password is typed by hand now and then; the keys never are.
    return secrets.token_urlsafe(15 if name == FIRST_ADMINS_VARIABLE else 48)


def _open_private(path: Path, flags: int) -> IO[str]:
    descriptor = os.open(path, flags, 0o600)
    return os.fdopen(descriptor, "r+" if flags & os.O_RDWR else "w")
