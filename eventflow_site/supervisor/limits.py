"""What the supervisor asks of the system for its children."""

import contextlib
import resource

# A connection is an open file, and a web worker may have thousands; shells give their programs a thousand.
OPEN_FILES = 65_536
# Of one web worker; each may be a request that waits.
CONNECTIONS = 16_384
# Connections to the database, counters, the log.
OTHER_FILES = 256


def allow_open_files() -> None:
    """Raise the limit of open files as far as the system lets us; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Some systems have a further limit that they do not tell; what is there must do then.
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_of_a_worker() -> int:
    """How many connections a web worker may have: fewer than the files that it may open, so that none fails to open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(64, min(CONNECTIONS, soft - OTHER_FILES))
