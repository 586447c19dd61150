"""Connections made from Django's settings, outside its pool.

The log's flusher, notifier and listener each keep one for as long as the process lives; a pool that requests share
must never be what a commit waits for.
"""

import os
import select
import socket
from typing import Any

import psycopg
from django.db import connections
from psycopg.adapt import AdaptersMap


def connect(name: str, *options: str, adapters: AdaptersMap | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """Open an autocommit connection that shows as `eventflow-<name>` in `pg_stat_activity`.

    Args:
        options: server settings such as `lock_timeout=2s`; they win over those of Django's settings.
        adapters: how values travel, if not in psycopg's own way.

    Raises:
        psycopg.OperationalError: within about 2 s (`connect_timeout`) if there is no server.
    """
    params = connections["default"].get_connection_params()
    for django_only in ("cursor_factory", "context", "prepare_threshold"):
        params.pop(django_only, None)
    session = " ".join(f"-c {option}" for option in options)
    params["options"] = f"{params.get('options', '')} {session}".strip()
    params["application_name"] = f"eventflow-{name}"
    # A server that vanished without a word is noticed in seconds, not after the kernel's two hours.
    params |= {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 8000}
    return psycopg.Connection.connect(autocommit=True, context=adapters, **params)


def has_news(connection: psycopg.Connection[Any]) -> bool:
    """Whether the server said something to an idle connection: that can hardly be anything but farewell."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def cut(connection: psycopg.Connection[Any]) -> None:
    """Break a connection that another thread waits on: its wait ends at once with a `psycopg.OperationalError`."""
    if not connection.closed:
        with socket.socket(fileno=os.dup(connection.fileno())) as shared:
            shared.shutdown(socket.SHUT_RDWR)
