"""The real PgBouncer in transaction mode, before the tests' own database."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from tests.run.instance import free_port, is_listening, wait_for
from tests.streams.log.faulty_network import FaultyNetwork
from tests.web_server import test_database_url

SESSIONS = 3


@contextmanager
def pgbouncer_before_database(directory: Path, *lines: str) -> Iterator[str]:
    """Start one that many clients share few sessions through, and give its DATABASE_URL.

    Args:
        lines: more of `pgbouncer.ini`.
    """
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/sbin")
    if program is None:
        pytest.skip("needs PgBouncer: apt-get install pgbouncer")
    port, log = free_port(), directory / "pgbouncer.log"
    # PgBouncer does not run as root, and the tests' PostgreSQL lets in the user that started it, so we ask on its behalf.
    address = urlsplit(test_database_url())
    query = parse_qs(address.query)
    host = query.get("host", [unquote(address.hostname or "")])[0]
    server_port = query.get("port", [str(address.port or 5432)])[0]
    password = f" password={unquote(address.password)}" if address.password else ""
    relay = FaultyNetwork(host=host, port=int(server_port))
    path = directory / "pgbouncer.ini"
    path.write_text(
        f"[databases]\n* = host=127.0.0.1 port={relay.port} user={unquote(address.username or '')}{password}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = any\nunix_socket_dir =\n"
        f"pool_mode = transaction\ndefault_pool_size = {SESSIONS}\nmax_client_conn = 500\n" + "\n".join(lines) + "\n"
    )
    command = [program, str(path)]
    if os.geteuid() == 0:
        command[1:1] = ["-u", "nobody"]
        path.chmod(0o644)
        _let_in(directory)
    with log.open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
    try:
        wait_for("PgBouncer", lambda: is_listening(port) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield f"postgresql://anybody@127.0.0.1:{port}{address.path}"
    finally:
        process.kill()
        process.wait(10)
        relay.close()


def _let_in(directory: Path) -> None:
    for each in (directory, *directory.parents):
        if each.stat().st_uid == 0 and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o011)
