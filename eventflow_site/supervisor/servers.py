"""PostgreSQL and Redis: embedded ones under supervision, or somebody else's, checked."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.postgres import DATABASE_NAME, DURABLE, OLDEST_VERSION, PostgresServer, postgres_in
from eventflow_site.embedded.valkey import ValkeyServer, valkey_in
from eventflow_site.supervisor.home import Home

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 5
# The spellings that settings.py understands beside libpq's own.
_POSTGRES_SCHEMES = ("postgres://", "psql://", "pgsql://", "postgis://")


def embedded_postgres(home: Home) -> PostgresServer:
    """The home's own PostgreSQL, initialised, not started."""
    server = postgres_in(home.path / "postgres", log_path=home.logs / "postgres.log", durability=DURABLE)
    server.initialise()
    return server


def embedded_valkey(home: Home) -> ValkeyServer:
    """The home's own Valkey, not started."""
    return valkey_in(home.path / "valkey", log_path=home.logs / "valkey.log")


def ensure_database(server: PostgresServer) -> None:
    """Create EventFlow's database in a running embedded server that does not have it yet."""
    created = server.data.parent / "database-created"
    if created.exists():
        return
    import psycopg
    from psycopg import sql

    with psycopg.connect(server.maintenance_url, autocommit=True) as connection:
        known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME]).fetchone()
        if known is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))
    created.touch(mode=0o600)


def check_postgres(url: str, direct_url: str = "") -> None:
    """Refuse a DATABASE_URL that does not lead to a PostgreSQL that EventFlow can use.

    Args:
        direct_url: DATABASE_DIRECT_URL, which leads past a pooler.

    Raises:
        CannotStart: unreadable, unreachable, older than OLDEST_VERSION, or a pooler that nobody told of.
    """
    _check_one_postgres("DATABASE_URL", url)
    if direct_url:
        _check_one_postgres("DATABASE_DIRECT_URL", direct_url)
    past_pooler = "DATABASE_DIRECT_URL" if direct_url else "DATABASE_URL"
    from streams.connections import shares_sessions

    if shares_sessions(partial(_connect_to, direct_url or url)):
        raise CannotStart(
            f"{past_pooler} leads to a pooler in transaction mode.",
            "Set DATABASE_POOLER=transaction, and DATABASE_DIRECT_URL to the address of PostgreSQL itself.",
        )


def _connect_to(url: str) -> "psycopg.Connection[tuple[Any, ...]]":
    import psycopg

    for scheme in _POSTGRES_SCHEMES:
        if url.startswith(scheme):
            url = "postgresql://" + url.removeprefix(scheme)
    return psycopg.connect(url, connect_timeout=CONNECT_SECONDS, autocommit=True)


def _check_one_postgres(name: str, url: str) -> None:
    import psycopg

    try:
        with _connect_to(url) as connection:
            version = connection.info.server_version
    except psycopg.ProgrammingError as error:
        raise CannotStart(
            f"{name} is no PostgreSQL address.",
            "Write it as postgresql://user:password@host:5432/database, or leave it out for the embedded server.",
        ) from error
    except psycopg.Error as error:
        raise CannotStart(
            f"{name} cannot be reached: {_first_line(error)}",
            "Start that server or correct the address, or leave DATABASE_URL out for the embedded server.",
        ) from error
    if version < OLDEST_VERSION * 10_000:
        raise CannotStart(
            f"{name} leads to PostgreSQL {version // 10_000}; EventFlow needs {OLDEST_VERSION} or newer.",
            "Upgrade that server, or leave DATABASE_URL out for the embedded one.",
        )


def check_redis(url: str) -> None:
    """Refuse a REDIS_URL that nothing answers on.

    Raises:
        CannotStart: unreadable or unreachable.
    """
    import redis

    try:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS, retry=None
        )
        client.ping()
        client.close()
    except ValueError as error:
        raise CannotStart(
            "REDIS_URL is no Redis address.",
            "Write it as redis://host:6379/0, or leave it out for the embedded server.",
        ) from error
    except redis.RedisError as error:
        raise CannotStart(
            f"REDIS_URL cannot be reached: {_first_line(error)}",
            "Start that server or correct the address, or leave REDIS_URL out for the embedded server.",
        ) from error


def clear_directory(directory: Path) -> Path:
    """Empty a directory of our own of the files of an earlier run."""
    for left_over in directory.iterdir():
        left_over.unlink()
    return directory


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
