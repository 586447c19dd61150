"""Addresses to which a credential goes unencrypted."""

import ipaddress
from urllib.parse import urlsplit

from .output import remark


def is_plaintext(url: str) -> bool:
    """Return whether others on the way could read what is sent there."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not _is_this_machine(parts.hostname or "")


def warn_of_plaintext(url: str) -> None:
    if is_plaintext(url):
        remark(f"{url} is not encrypted: whoever is on the way can read the credential. Use https:// where you can.")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
