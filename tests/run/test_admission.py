"""Started by root, the embedded PostgreSQL runs as `nobody`; whoever else does so is not let in."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eventflow_site.embedded.admission import admit_ourselves_alone
from eventflow_site.embedded.places import unprivileged_user
from eventflow_site.embedded.postgres import DISPOSABLE, PostgresServer, postgres_in

pytestmark = [pytest.mark.processes, pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server whose data was made when everybody on the socket was trusted."""
    with tempfile.TemporaryDirectory(prefix="eventflow-admission-") as directory:
        # The server's own user passes through.
        Path(directory).chmod(0o711)
        server = postgres_in(Path(directory), log_path=Path(directory) / "log", durability=DISPOSABLE)
        server.initialise()
        assert "trust" in (server.data / "pg_hba.conf").read_text()
        with server.log_path.open("ab") as log:
            process = server.start(log)
        try:
            server.wait_until_ready(process)
            yield server
        finally:
            process.terminate()
            process.wait(60)


def test_root_comes_in(server):
    with psycopg.connect(server.maintenance_url) as connection:
        assert connection.execute("SELECT current_user").fetchone() == ("eventflow",)


def test_another_who_runs_as_the_servers_user_is_refused(server):
    assert said_as_the_servers_user(server).count("Peer authentication failed") == 1


def test_a_link_in_the_servers_directory_is_not_followed(server, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    (server.data / "pg_hba.conf").unlink()
    (server.data / "pg_hba.conf").symlink_to(elsewhere)
    admit_ourselves_alone(server.data, role="eventflow")
    assert elsewhere.read_text() == "precious"
    assert not (server.data / "pg_hba.conf").is_symlink()


def said_as_the_servers_user(server: PostgresServer) -> str:
    """What a process that has become the server's user is told when it connects."""
    user = unprivileged_user()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            psycopg.connect(server.maintenance_url, connect_timeout=10).close()
            os.write(writer, b"came in")
        except BaseException as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    return said
