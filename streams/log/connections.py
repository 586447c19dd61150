"""The log's own connections: made from Django's settings, outside its pool.

The flusher, the notifier and the listener each keep one for as long as the process lives; a pool that
requests share must never be what a commit waits for.
"""

import os
import select
import socket
import struct
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_BIGINT_ARRAY_OID: Final = 1016
_BIGINT_OID: Final = 20


class Bigints(tuple[int, ...]):
    """Integers that travel as `bigint[]` in binary, whatever their values.

    psycopg would choose the narrowest type by value, and so prepare one statement for each combination.
    """

    __slots__ = ()


class _BigintsDumper(Dumper):
    format = Format.BINARY
    oid = _BIGINT_ARRAY_OID

    def dump(self, obj: Bigints) -> Buffer:
        if not obj:
            return struct.pack("!iii", 0, 0, _BIGINT_OID)
        flat = [word for value in obj for word in (8, value)]
        return struct.pack(f"!iiiii{'iq' * len(obj)}", 1, 0, _BIGINT_OID, len(obj), 1, *flat)


adapters: Final = AdaptersMap(psycopg.adapters)
adapters.register_dumper(Bigints, _BigintsDumper)


def connect(name: str, *options: str) -> psycopg.Connection[tuple[Any, ...]]:
    """Open an autocommit connection that shows as `eventflow-<name>` in `pg_stat_activity`.

    `options` are server settings such as `lock_timeout=2s`; they win over those of Django's settings.

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
