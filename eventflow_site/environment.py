"""Where settings come from: the environment first, then the files of a running `up`.

`up` keeps generated secrets in `$EVENTFLOW_HOME/secrets.env` and, while it runs, the addresses of its
embedded servers in `$EVENTFLOW_HOME/run.env`, so that any other command finds the same servers.
"""

import ipaddress
import json
import os
import re
from collections.abc import Sequence
from email.utils import getaddresses
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

from eventflow_site import layout

env = environ.Env()
_ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.ASCII)

HOME = layout.home().resolve()


def read_home(home: Path) -> None:
    """Load the files of `home` into the environment; what is already set there wins."""
    for name in ("run.env", "secrets.env"):
        # In a home of somebody else's there is nothing for us.
        if os.access(home / name, os.R_OK):
            environ.Env.read_env(home / name)


read_home(HOME)


# --- values that are checked: what is of no use stops the start, by name and with a way out --------------


def whole_number(name: str, *, default: int, highest: int | None = None) -> int:
    """A whole number, 0 or more and `highest` at most; an empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and (highest is None or int(text) <= highest)):
        wanted = "a whole number, 0 or more" if highest is None else f"a whole number from 0 to {highest}"
        raise _no_use(name, text, wanted, str(default))
    return int(text)


def seconds(name: str, *, default: float) -> float:
    """A number of seconds, 0 or more, with a fraction if need be; an empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    whole, _, fraction = text.partition(".")
    digits = whole + fraction
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 12):
        raise _no_use(name, text, "a number of seconds, 0 or more", str(default))
    return float(text)


def yes_or_no(name: str, *, default: bool) -> bool:
    """True or false: a slip of the pen must not switch a safeguard off. An empty value counts as not set."""
    text = env.str(name, default="") or str(default)
    if text.lower() in env.BOOLEAN_TRUE_STRINGS:
        return True
    if text.lower() in ("false", "off", "n", "no", "0"):
        return False
    raise _no_use(name, text, "true or false", str(default).lower())


def one_of(name: str, choices: Sequence[str], *, default: str) -> str:
    """One of `choices`, in capitals or not; an empty value counts as not set."""
    text = env.str(name, default="") or default
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    raise _no_use(name, text, f"{', '.join(choices[:-1])} or {choices[-1]}", default)


def web_address(name: str) -> str:
    """Where a site begins, without a slash at the end; empty if it is not set."""
    text = env.str(name, default="")
    if text and not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[\w.~/-]*)?", text, re.ASCII):
        raise _no_use(name, text, "an address that begins with https:// or http://, without ? and #", "not known")
    return text.rstrip("/")


class Places(NamedTuple):
    """Hosts by name, and networks."""

    hosts: frozenset[str]
    networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]


def places(name: str) -> Places:
    """Hosts, addresses and networks, separated by commas; none if it is not set."""
    hosts, networks = set(), []
    for text in filter(None, (part.strip().lower() for part in env.str(name, default="").split(","))):
        try:
            networks.append(ipaddress.ip_network(text))
        except ValueError:
            if "/" in text or not re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", text, re.ASCII):
                raise _no_use(name, text, "names of hosts, addresses and networks (10.0.0.0/8)", "empty") from None
            hosts.add(text)
    return Places(frozenset(hosts), tuple(networks))


class MailServer(NamedTuple):
    """Where mail is handed in, and how."""

    host: str
    port: int
    user: str
    password: str
    # From the beginning, or after STARTTLS.
    uses_ssl: bool
    uses_tls: bool


_MAIL_PORTS = {"smtp": 25, "smtp+tls": 587, "smtp+ssl": 465}


def mail_server(name: str) -> MailServer | None:
    """A mail server as `smtp+tls://user:password@host:587`; None if it is not set."""
    text = env.str(name, default="")
    if not text:
        return None
    try:
        url = urlsplit(text)
        host, port = url.hostname, url.port
    except ValueError:
        host = None
    if not host or url.scheme not in _MAIL_PORTS or url.path.strip("/") or url.query or url.fragment:
        wanted = "smtp://, smtp+tls:// or smtp+ssl://, then user:password@host:port (% as %25, @ as %40)"
        # Without its value: there may be a password in it.
        raise _no_use(name, "an address that is no mail server's", wanted, "empty: no e-mail is sent")
    return MailServer(
        host=host,
        port=port or _MAIL_PORTS[url.scheme],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        uses_ssl=url.scheme == "smtp+ssl",
        uses_tls=url.scheme == "smtp+tls",
    )


def sender(name: str, *, default: str) -> str:
    """One e-mail address from which mail is, with or without a name before it; an empty value counts as not set."""
    text = env.str(name, default="") or default
    found = getaddresses([text])
    address = found[0][1] if len(found) == 1 and text.isprintable() else ""
    user, _, host = address.rpartition("@")
    if not user or not re.fullmatch(r"[^\s@.]{1,63}(\.[^\s@.]{1,63})*", host):
        raise _no_use(name, text, "one e-mail address, as ops@example.com or EventFlow <ops@example.com>", default)
    return text


def origins(name: str) -> tuple[str, ...]:
    """Origins as browsers write them (scheme, host, any port but the usual one), separated by commas; or none."""
    listed = tuple(each for text in env.str(name, default="").split(",") if (each := text.strip()))
    for each in listed:
        usual = ":443" if each.startswith("https:") else ":80"
        if not _ORIGIN.fullmatch(each) or each.endswith(usual):
            raise _no_use(name, each, "origins such as https://shop.example, separated by commas and never *", "none")
    return listed


_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,31}")


def engines(name: str) -> dict[str, dict[str, Any]]:
    """Engines of the log beside PostgreSQL, as JSON: `{"alias": {"ENGINE": "a.module", "OPTIONS": {…}}}`; or none."""
    text = env.str(name, default="").strip()
    if not text:
        return {}
    wanted = (
        'JSON like {"kafka-main": {"ENGINE": "streams.log.kafka", "OPTIONS": {…}}}; an alias is of a-z, 0-9 and -, and '
        "never postgres"
    )
    try:
        named = json.loads(text)
    except ValueError:
        named = None
    # Without its value: there may be a password in it.
    if not isinstance(named, dict) or not all(map(_is_engine, named, named.values())):
        raise _no_use(name, "something else", wanted, "empty: all streams lie in PostgreSQL")
    return {alias: {"ENGINE": each["ENGINE"], "OPTIONS": each.get("OPTIONS", {})} for alias, each in named.items()}


def _is_engine(alias: str, each: Any) -> bool:
    return (
        bool(_ALIAS.fullmatch(alias))
        and alias != "postgres"
        and isinstance(each, dict)
        and set(each) <= {"ENGINE", "OPTIONS"}
        and isinstance(each.get("ENGINE"), str)
        and isinstance(each.get("OPTIONS", {}), dict)
    )


def _no_use(name: str, text: str, wanted: str, default: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{name} is {text!r}. It takes {wanted}; without it, it is {default}.")
