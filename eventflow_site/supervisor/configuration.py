"""What the environment asks of `up`, checked before anything is started."""

import errno
import ipaddress
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from eventflow_site import layout
from eventflow_site.embedded.errors import CannotStart


@dataclass(frozen=True)
class Configuration:
    host: str
    port: int
    web_workers: int
    home: Path
    # None: the embedded server.
    database_url: str | None
    redis_url: str | None

    @property
    def address(self) -> str:
        """The address to type on this machine."""
        return f"http://{self.authority}"

    @property
    def authority(self) -> str:
        host = self.reachable_host
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    @property
    def reachable_host(self) -> str:
        """A host that reaches the server from this machine, also where it listens on every address."""
        if not is_every_address(self.host):
            return self.host
        return "::1" if ":" in self.host else "127.0.0.1"


def is_every_address(host: str) -> bool:
    """Whether `host` stands for all of this machine's addresses: 0.0.0.0 or ::."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def read_configuration() -> Configuration:
    """Read and check the environment.

    Raises:
        CannotStart: a value is of no use.
    """
    return Configuration(
        host=os.environ.get("HOST") or "127.0.0.1",
        port=_number("PORT", default=8000, highest=65535),
        web_workers=_number("WEB_WORKERS", default=2, highest=256),
        home=layout.home(),
        database_url=os.environ.get("DATABASE_URL") or None,
        redis_url=os.environ.get("REDIS_URL") or None,
    )


def check_address(configuration: Configuration) -> None:
    """Refuse an address that the web server could not listen on.

    Raises:
        CannotStart: it is taken, not this machine's, or not ours to take.
    """
    host, port = configuration.host, configuration.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        raise CannotStart(f"HOST {host!r} is no address of this machine.", "Set HOST, say to 127.0.0.1.") from error
    with socket.socket(family, kind, protocol) as probe:
        # As the web server does: connections that are closing do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except PermissionError as error:
            raise CannotStart(
                f"This user may not listen on port {port}.", "Set PORT to 1024 or above, say PORT=8000."
            ) from error
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise CannotStart(
                    f"Port {port} on {host} is in use by another program.",
                    f"Stop that one, or choose another port: PORT={port + 1 if port < 65535 else 8000} {layout.START}",
                ) from error
            raise CannotStart(f"HOST {host!r} is no address of this machine.", "Set HOST, say to 127.0.0.1.") from error


def _number(name: str, *, default: int, highest: int) -> int:
    text = os.environ.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= highest):
        raise CannotStart(f"{name} is {text!r}, not a number from 1 to {highest}.", f"Try {name}={default}.")
    return int(text)
