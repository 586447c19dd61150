"""Where an embedded server keeps its files, and as whom it runs.

PostgreSQL refuses to run as root. Started by root it runs as `nobody`, who must be able to reach
both the data and the binaries; where they lie behind a directory that is root's alone (a checkout
under /root, say), they are kept in /var/lib/eventflow instead.
"""

import hashlib
import os
import pwd
import shutil
import tempfile
from pathlib import Path

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.process import RunAs

_ROOTS_STATE = Path("/var/lib/eventflow")
# A socket's path has 107 bytes on Linux and 103 on macOS; PostgreSQL adds a name and a lock file.
_LONGEST_SOCKET_DIRECTORY_BYTES = 80


def unprivileged_user() -> RunAs | None:
    """Whom a server that refuses root runs as; None: as ourselves."""
    if os.geteuid() != 0:
        return None
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return RunAs(65534, 65534)
    return RunAs(nobody.pw_uid, nobody.pw_gid)


def can_reach(path: Path, user: RunAs | None) -> bool:
    """Whether `user` may pass through `path` and every directory above it."""
    if user is None:
        return True
    for directory in (path, *path.parents):
        status = directory.stat()
        bit = 0o001
        if status.st_uid == user.uid:
            bit = 0o100
        elif status.st_gid == user.gid:
            bit = 0o010
        if not status.st_mode & bit:
            return False
    return True


def make_private(directory: Path, user: RunAs | None) -> None:
    """Create `directory` (0700) for `user`, or for ourselves."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        # Following a link that somebody else laid in /tmp would give them any directory of ours.
        raise CannotStart(f"{directory} is in the way of a server's files.", "Move it away.")
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    status = directory.stat()
    owner = user.uid if user else os.geteuid()
    if status.st_uid != owner:
        if os.geteuid() != 0:
            raise CannotStart(
                f"{directory} belongs to another user.",
                "Start as that user, or set EVENTFLOW_HOME to a directory of your own.",
            )
        os.chown(directory, owner, user.gid if user else os.getegid())
    if status.st_mode & 0o777 != 0o700:
        directory.chmod(0o700)


def server_directory(wanted: Path, user: RunAs | None) -> Path:
    """A private directory for a server's data: `wanted`, or what that links to.

    For a user who cannot reach `wanted` it is made under /var/lib/eventflow, and `wanted` becomes
    a link to it, so that whoever looks there still finds the data.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted = wanted.parent.resolve() / wanted.name
    if not wanted.is_symlink() and can_reach(wanted.parent, user):
        make_private(wanted, user)
        return wanted
    target = _roots_directory("data", hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16])
    make_private(target, user)
    if not wanted.is_symlink():
        if wanted.exists():
            raise CannotStart(
                f"{wanted} holds a server's data, but the user it runs as can no longer reach it.",
                f"Move EVENTFLOW_HOME out of {wanted.parent}, or open the way to it (chmod o+x).",
            )
        wanted.symlink_to(target)
    return target


def reachable_copy(tree: Path, also: Path, user: RunAs | None) -> Path:
    """`tree` itself where `user` can run it, else a copy; `also` keeps its place relative to it.

    The copy is made once for each version of the tree and appears complete or not at all.
    """
    if can_reach(tree / "bin" / "postgres", user):
        return tree
    newest = max(tree.stat().st_mtime_ns, (tree / "bin").stat().st_mtime_ns)
    version = hashlib.sha256(f"{tree}:{newest}".encode()).hexdigest()[:16]
    shelf = _roots_directory("binaries")
    done = shelf / version
    if not done.exists():
        making = Path(tempfile.mkdtemp(dir=shelf, prefix=".making-"))
        making.chmod(0o755)
        shutil.copytree(tree, making / tree.parent.name / tree.name, symlinks=True)
        if also.exists():
            shutil.copytree(also, making / also.name, symlinks=True)
        _open_to_all(making)
        try:
            making.rename(done)
        except OSError:
            # Another start was faster.
            shutil.rmtree(making, ignore_errors=True)
    return done / tree.parent.name / tree.name


def socket_directory(wanted: Path, user: RunAs | None) -> Path:
    """A private directory for a Unix socket: `wanted`, or one under /tmp if that path is too long.

    A comma or a quote would be read as punctuation by PostgreSQL, and counts as too long.
    """
    plain = not set("\"',%? \\") & set(str(wanted))
    if plain and len(os.fsencode(wanted)) <= _LONGEST_SOCKET_DIRECTORY_BYTES:
        make_private(wanted, user)
        return wanted
    name = hashlib.sha256(os.fsencode(wanted)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"eventflow-{os.geteuid()}-{name}"
    make_private(short, user)
    return short


def _open_to_all(tree: Path) -> None:
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _roots_directory(*parts: str) -> Path:
    directory = _ROOTS_STATE
    try:
        for part in ("", *parts):
            directory = directory / part
            directory.mkdir(parents=True, exist_ok=True)
            # Whatever the umask says: the server's user has to pass.
            directory.chmod(0o755)
    except OSError as error:
        raise CannotStart(
            f"PostgreSQL does not run as root, and {directory} cannot be made for it: {error.strerror}.",
            "Start as an ordinary user, or set DATABASE_URL to a server of your own.",
        ) from error
    return directory
