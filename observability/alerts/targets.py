"""Addresses that alerts are sent to: what they may look like, and how they are shown. Pure but for the settings."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

MAX_URL_CHARACTERS = 2_000
_PLAIN_PATTERN = r"[!-\[\]-~]+"
URL_PATTERN = f"^[Hh][Tt][Tt][Pp][Ss]?://{_PLAIN_PATTERN}$"
_PLAIN = re.compile(_PLAIN_PATTERN, re.ASCII)
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", re.ASCII)


class UnusableTarget(ValueError):
    """It is no address that anything could be sent to; the text says why."""


@dataclass(frozen=True, slots=True)
class WebTarget:
    """An address of the web, taken apart once: what is checked is what is connected to."""

    is_secure: bool
    host: str
    port: int
    # Path and query.
    path: str

    @classmethod
    def of(cls, url: str) -> Self:
        """Read an address strictly.

        Raises:
            UnusableTarget
        """
        if not _PLAIN.fullmatch(url) or len(url) > MAX_URL_CHARACTERS:
            raise UnusableTarget("Give an address of plain characters, without spaces; others as %XX.")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise UnusableTarget("This is no address of the web.") from error
        if parts.scheme not in ("https", "http"):
            raise UnusableTarget("The address begins with https://.")
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise UnusableTarget("Name and password have no place in the address.")
        if parts.fragment or url.endswith("#"):
            raise UnusableTarget("What follows # is never sent: leave it out.")
        host = (parts.hostname or "").removesuffix(".")
        if not (_is_address(host) if ":" in host else _HOST.fullmatch(host)) or port == 0:
            raise UnusableTarget("The address names no host that could be found.")
        is_secure = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(is_secure, host, port or (443 if is_secure else 80), path)

    @property
    def authority(self) -> str:
        """Host, and port where it is another than usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_secure else 80) else f"{host}:{self.port}"

    @property
    def shown(self) -> str:
        """What may be shown of it: the rest is a secret with many receivers."""
        return f"{'https' if self.is_secure else 'http'}://{self.authority}/…"


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return "%" not in text
