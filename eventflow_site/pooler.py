"""A pooler in transaction mode between Django and PostgreSQL: PgBouncer and its like (ADR 0027).

It gives each transaction whichever session is free. What has to be a session's own goes past it, to
`DATABASE_DIRECT_URL`; what it cannot be told for each session, the time-outs, is set for the role.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import psycopg
from django.conf import settings
from django.core import checks
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from streams.connections import connect, shares_sessions

NOT_SET: Final = (
    "DATABASE_URL leads to a pooler in transaction mode. "
    "Set DATABASE_POOLER=transaction, and DATABASE_DIRECT_URL to the address of PostgreSQL itself."
)
# What a session of its own is told when it begins (settings.py).
ROLE_SETTINGS: Final = {
    "statement_timeout": "30s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "60s",
    "synchronous_commit": "on",
}
_WEAK: Final = {"0", "off", "local", "remote_write"}


def go_past_pooler(connection: BaseDatabaseWrapper) -> None:
    """Let a command's connection lead to PostgreSQL itself: locks of a session are worth nothing in a shared one.

    One that does already stays open, with the locks that it holds.

    Raises:
        CommandError: there is a pooler, and nobody said so.
    """
    if settings.DATABASE_DIRECT is None:
        if _is_pooled():
            raise CommandError(NOT_SET)
        return
    direct = {**connection.settings_dict, **settings.DATABASE_DIRECT}
    if connection.settings_dict != direct:
        connection.close()
        connection.settings_dict = direct


def _is_pooled() -> bool:
    try:
        return shares_sessions(partial(connect, "probe"))
    except psycopg.OperationalError as error:
        # PgBouncer, unless it is told to ignore what it cannot keep.
        if "unsupported startup parameter" in str(error):
            return True
        raise


def check_role_settings(*, databases: Sequence[str] | None = None, **_more: Any) -> list[checks.CheckMessage]:
    """Name the settings that transactions through the pooler do without, since the role does not have them."""
    if settings.DATABASE_POOLER != "transaction" or DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    names = list(ROLE_SETTINGS)
    with connect("check", through_pooler=True) as session:
        row = session.execute(
            "SELECT current_user, current_database(), " + ", ".join(f"current_setting('{name}')" for name in names)
        ).fetchone()
    user, database, *values = row or ("", "")
    missing = [name for name, value in zip(names, values, strict=False) if value in _WEAK]
    if not missing:
        return []
    role = connections[DEFAULT_DB_ALIAS].ops.quote_name
    wanted = "; ".join(
        f"ALTER ROLE {role(user)} IN DATABASE {role(database)} SET {name} = '{ROLE_SETTINGS[name]}'" for name in missing
    )
    return [
        checks.Warning(
            f"Behind the pooler, transactions run without {', '.join(missing)}.",
            hint=f"{wanted}; then let the pooler connect anew.",
            id="eventflow.W010",
        )
    ]
