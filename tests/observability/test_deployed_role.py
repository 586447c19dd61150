"""The role that compose's PostgreSQL has for EventFlow: enough for EventFlow, and no more."""

import base64
import hashlib
import hmac
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from eventflow_site.embedded.postgres import DISPOSABLE, PostgresServer, find_binaries, postgres_in
from tests.run.instance import PROJECT

pytestmark = pytest.mark.processes
SCRIPT = PROJECT / "deploy/postgres/create_role.sh"
# It would end the string, were it put together.
PASSWORD = "it's; DROP"


def address(server: PostgresServer, role: str, database: str) -> str:
    return f"postgresql://{role}:{quote(PASSWORD, safe='')}@/{database}?host={quote(str(server.sockets), safe='/')}"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server as the image has it when it runs the script: one superuser, and one database of theirs."""
    with tempfile.TemporaryDirectory(prefix="eventflow-role-") as directory:
        # The server's own user passes through.
        Path(directory).chmod(0o711)
        server = postgres_in(Path(directory), log_path=Path(directory) / "log", durability=DISPOSABLE)
        server.initialise()
        with server.log_path.open("ab") as log:
            process = server.start(log)
        try:
            server.wait_until_ready(process)
            with psycopg.connect(server.maintenance_url, autocommit=True) as connection:
                connection.execute("CREATE ROLE postgres LOGIN SUPERUSER")
            with psycopg.connect(address(server, "postgres", "postgres"), autocommit=True) as connection:
                connection.execute("ALTER ROLE eventflow RENAME TO initial")
            run_script(server)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def run_script(server: PostgresServer) -> None:
    env = {
        "PATH": f"{find_binaries()}:{os.environ['PATH']}",
        "PGHOST": str(server.sockets),
        "POSTGRES_USER": "postgres",
        "EVENTFLOW_DATABASE_PASSWORD": PASSWORD,
    }
    done = subprocess.run(["sh", SCRIPT], env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


def test_it_has_no_privilege_but_to_sign_in(server):
    with psycopg.connect(address(server, "eventflow", "eventflow")) as connection:
        found = connection.execute(
            "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
            " FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        memberships = connection.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole"
        ).fetchone()
    assert found == (True, False, False, False, False, False)
    assert memberships == (0,)


def test_its_password_is_the_one_that_was_given(server):
    with psycopg.connect(address(server, "postgres", "postgres")) as connection:
        stored = connection.execute("SELECT rolpassword FROM pg_authid WHERE rolname = 'eventflow'").fetchone()[0]
    _, parameters, keys = stored.split("$")
    iterations, salt = parameters.split(":")
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), base64.b64decode(salt), int(iterations))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    assert keys.split(":")[0] == base64.b64encode(hashlib.sha256(client_key).digest()).decode()


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT lo_import('/etc/hostname')",
        "CREATE DATABASE another",
        "CREATE ROLE another SUPERUSER",
        "ALTER ROLE eventflow SUPERUSER",
        "ALTER SYSTEM SET fsync = off",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_it_may_not(server, statement):
    with (
        psycopg.connect(address(server, "eventflow", "eventflow"), autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_it_enters_no_database_but_its_own(server, database):
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(address(server, "eventflow", database))


def test_nobody_else_enters_its_database(server):
    with psycopg.connect(address(server, "postgres", "postgres"), autocommit=True) as connection:
        connection.execute("CREATE ROLE neighbour LOGIN")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(address(server, "neighbour", "eventflow"))


@pytest.mark.slow("runs all migrations")
def test_it_is_enough_for_the_migrations(server):
    env = {**os.environ, "DATABASE_URL": address(server, "eventflow", "eventflow"), "DATABASE_POOL_SIZE": "0"}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=PROJECT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
