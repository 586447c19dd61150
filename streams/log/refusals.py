"""Why PostgreSQL takes no appends, in words for whoever asks: they name no host, no user and no password."""

from collections.abc import Sequence
from typing import Any, Final

from streams.log.protocol import LogHealth

SILENT: Final = "PostgreSQL does not answer"
USED_UP: Final = "connections used up: PostgreSQL takes no further one"
STANDBY: Final = "PostgreSQL is a read-only standby"
READ_ONLY: Final = "PostgreSQL is read-only"
UNREACHABLE: Final = "PostgreSQL does not let in who appends; the log of this server says why"
BUSY: Final = "no connection of this server's pool came free"
POOLED: Final = (
    "a pooler in transaction mode is in between: "
    "set DATABASE_POOLER=transaction, and DATABASE_DIRECT_URL to an address past it"
)
LATE: Final = "appends wait too long for PostgreSQL"
SHUTTING_DOWN: Final = "this server is shutting down"
_NOT_DURABLE: Final = "{}: a power failure could lose events that were answered 202"
# What refuses a connection comes as text alone: of PostgreSQL for the server, a database or a role, and of PgBouncer.
_USED_UP_WORDS: Final = ("too many clients", "too many connections", "connection slots", "no more connections allowed")
# PgBouncer, unless it is told to ignore what it cannot keep; and PostgreSQL, where a session was another's before.
_POOLED_WORDS: Final = ("unsupported startup parameter", "prepared statement")
_SILENT_WORDS: Final = ("timeout expired", "timed out", "refused", "could not connect", "stopped answering")


def describe_refusal(error: BaseException) -> str:
    """Say why there is no connection, as far as anybody may know."""
    text = str(error)
    if text.startswith("synchronous_commit is "):
        return _NOT_DURABLE.format(text)
    if text == POOLED or any(words in text for words in _POOLED_WORDS):
        return POOLED
    if "pool came free" in text:
        return BUSY
    if any(words in text for words in _USED_UP_WORDS):
        return USED_UP
    return SILENT if any(words in text for words in _SILENT_WORDS) else UNREACHABLE


def health_of(row: Sequence[Any]) -> LogHealth:
    """Judge the row of `health.sql`."""
    is_standby, read_only, synchronous_commit, fsync, full_page_writes = row
    if is_standby or read_only == "on":
        return LogHealth(is_writable=False, is_durable=False, reason=STANDBY if is_standby else READ_ONLY)
    weak = [
        name
        for name, is_safe in (
            ("synchronous_commit", synchronous_commit in {"on", "remote_apply"}),
            ("fsync", fsync == "on"),
            ("full_page_writes", full_page_writes == "on"),
        )
        if not is_safe
    ]
    reason = _NOT_DURABLE.format(", ".join(f"{name} is off" for name in weak)) if weak else ""
    return LogHealth(is_writable=True, is_durable=not weak, reason=reason)
