"""The installation that is asked: its address, the credential, and the parts of the client that ask."""

import os
import re
import sys
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from .. import access
from .._sync.dead_letters import DeadLetters
from .._sync.groups import Groups
from .._sync.keys import Keys
from .._sync.streams import Streams
from .._sync.transport import Transport
from ..models import Caller
from ..outcomes import Retries
from ..requests import get
from . import profiles
from .parsing import Options
from .sessions import SessionTransport
from .wrong_use import NoCredential, WrongUse

_KEY: Final = re.compile(r"evf_[A-Za-z0-9_]{8,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Found:
    """Where to ask, and with what.

    Attributes:
        profile: the name of the one that it comes from.
        session: a person's, instead of a key.
    """

    url: str
    key: str | None = field(default=None, repr=False)
    profile: str | None = None
    session: profiles.Profile | None = field(default=None, repr=False)


def find(options: Options) -> Found:
    """Return what is named by `--profile`, else by the environment, else by the current profile.

    Raises:
        NoCredential: nothing is.
        WrongUse: the credential is for another address, or is no key.
    """
    if options.profile is None:
        key = read_key(first_line()) if options.key_stdin else os.environ.get("EVENTFLOW_KEY")
        if key:
            return Found(_given_url(options) or access.DEFAULT_URL, check_key(key))
    elif options.key_stdin:
        raise WrongUse("Give --profile or --key-stdin, not both: a request carries one credential.")
    name = options.profile or os.environ.get("EVENTFLOW_PROFILE") or profiles.load().current
    if name is None:
        raise NoCredential("No credential: `eventflow login` saves one, EVENTFLOW_KEY or --key-stdin gives one.")
    profile = profiles.find(name)
    # Elsewhere it would be told to whoever listens there.
    asked = options.url if options.profile else _given_url(options)
    if asked and not same_place(asked, profile.url):
        raise WrongUse(
            f"The profile {name!r} is for {profile.url}; what it has is not sent to {asked}. "
            "Log in there with another --profile."
        )
    return Found(profile.url, profile.key, name, profile if profile.key is None else None)


class Server:
    """One installation as one caller. Use it with `with`."""

    def __init__(self, found: Found, retries: Retries, *, connections: int = 8) -> None:
        self.found = found
        self.url = base_of(found.url)
        self.retries = retries
        self._connections = connections
        self.transport = self._make(retries)
        self.streams = Streams(self.transport)
        self.groups = Groups(self.transport)
        self.dead_letters = DeadLetters(self.transport)
        self.keys = Keys(self.transport)

    def me(self) -> Caller:
        return msgspec.json.decode(self.transport.send(get("/auth/me")).body, type=Caller)

    def http(self) -> httpx.Client:
        """Return a client of one's own with the same credential, for answers that are read while they come."""
        return httpx.Client(headers=self._headers(), transport=self._sender(), follow_redirects=False)

    def close(self) -> None:
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _make(self, retries: Retries) -> Transport:
        return Transport(
            self.url, self._headers(), retries=retries, connections=self._connections, transport=self._sender()
        )

    def _headers(self) -> dict[str, str]:
        # A session sets its own with each request.
        given = access.find_access(self.url, self.found.key, None if self.found.key else "session").headers
        return {**given, "User-Agent": f"{given['User-Agent']} terminal"}

    def _sender(self) -> SessionTransport | None:
        if self.found.session is None:
            return None
        assert self.found.profile is not None
        return SessionTransport(self.found.profile, self.found.session)


def connect(options: Options, *, connections: int = 8) -> Server:
    """Return the server that the options and the environment name.

    Raises:
        WrongUse
    """
    return Server(find(options), retries_of(options), connections=connections)


def retries_of(options: Options) -> Retries:
    return Retries(attempt_seconds=min(15.0, options.timeout), total_seconds=options.timeout)


def first_line() -> str:
    """Return the first line of standard input, and leave those behind it to whoever reads them."""
    # Not as text: that reads ahead, and what it has got is missing for those who go on with the bytes.
    return sys.stdin.buffer.readline().decode(errors="replace")


def read_key(text: str) -> str:
    """Return the key that a line has.

    Raises:
        WrongUse: it has none.
    """
    if not text.strip():
        raise WrongUse("There is no key on standard input.")
    return check_key(text)


def check_key(text: str) -> str:
    """Return the key without what surrounds it.

    Raises:
        WrongUse: it is none; the text has nothing of it.
    """
    key = text.strip()
    if not _KEY.fullmatch(key):
        raise WrongUse(f"This is no API key: they begin with evf_, and this has {len(key)} characters of another kind.")
    return key


def base_of(url: str) -> str:
    """Return the address without `/api/v1`.

    Raises:
        WrongUse: it is none.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise WrongUse(f"{url!r} is no address: it begins with http:// or https://, and a host follows.")
    if parts.username or parts.password:
        raise WrongUse("The address has a name or password in it: leave them out; a key or a session says who asks.")
    return url.rstrip("/").removesuffix("/api/v1")


def same_place(one: str, other: str) -> bool:
    return base_of(one).lower() == base_of(other).lower()


def _given_url(options: Options) -> str | None:
    return options.url or os.environ.get("EVENTFLOW_API") or None
