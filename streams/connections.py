"""Connections made from Django's settings, outside its pool.

The log's flusher, notifier and listener each keep one for as long as the process lives; a pool that requests share
must never be what a commit waits for.
"""

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.adapt import AdaptersMap


def connect(
    name: str, *options: str, adapters: AdaptersMap | None = None, through_pooler: bool = False
) -> psycopg.Connection[tuple[Any, ...]]:
    """Open an autocommit connection that shows as `eventflow-<name>` in `pg_stat_activity`.

    Args:
        options: server settings such as `lock_timeout=2s`; they win over those of Django's settings.
        adapters: how values travel, if not in psycopg's own way.
        through_pooler: on Django's way, and not past the pooler that may be in between (`DATABASE_DIRECT_URL`).

    Raises:
        psycopg.OperationalError: within about 2 s (`connect_timeout`) if there is no server.
    """
    wrapper = connections[DEFAULT_DB_ALIAS]
    if settings.DATABASE_DIRECT is not None and not through_pooler:
        wrapper = type(wrapper)({**wrapper.settings_dict, **settings.DATABASE_DIRECT}, "direct")
    params = wrapper.get_connection_params()
    for django_only in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(django_only, None)
    session = " ".join(f"-c {option}" for option in options)
    params["options"] = f"{params.get('options', '')} {session}".strip()
    params["application_name"] = f"eventflow-{name}"
    # A server that vanished without a word is noticed in seconds, not after the kernel's two hours.
    params |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 8000}
    return psycopg.Connection.connect(autocommit=True, context=adapters, **params)


def shares_sessions(open_connection: Callable[[], psycopg.Connection[tuple[Any, ...]]]) -> bool:
    """Whether a pooler in between gives each transaction whichever session is free.

    Args:
        open_connection: opens one in autocommit.
    """
    with open_connection() as first:
        session = _session_of(first)
        # PostgreSQL tells each client which process serves it; a pooler tells a number of its own.
        if first.info.backend_pid == session:
            return False
        with open_connection() as second, second.transaction():
            # A session that is the first's alone is not given away, and not taken from it while the second holds one.
            return _session_of(second) == session or _session_of(first) != session


def has_own_number(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Whether the process that serves a connection is the one that it was told of: not behind a pooler."""
    return connection.info.backend_pid == _session_of(connection)


def _session_of(connection: psycopg.Connection[tuple[Any, ...]]) -> int:
    row = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    return int(row[0]) if row else 0


def has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server said something to an idle connection: that can hardly be anything but farewell."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


class Scissors:
    """Cut a connection that another thread waits on: its wait ends at once with a `psycopg.OperationalError`.

    They have a hold of their own on the socket. libpq closes its one as soon as it finds it broken, and a moment later
    the number may be somebody else's.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def cut(self) -> None:
        """Cut it, in any thread; a connection that is broken already stays as it is."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
