"""A person's session: begun with a password, kept alive by tokens that are good for minutes."""

import time
from typing import Final

import httpx
import msgspec

from .._sync.transport import Transport
from ..errors import Problem
from ..models import User
from ..outcomes import Retries
from ..requests import Request, post
from . import profiles
from .profiles import Profile
from .wrong_use import NoCredential

# Enough for a request that is begun with the token to arrive with it.
_SPARE_SECONDS: Final = 60.0
# A second use of the same refresh token gets the same answer for ten seconds, and ends the session after that.
_RENEWAL: Final = Retries(attempt_seconds=4.0, total_seconds=5.0)


class _Tokens(msgspec.Struct):
    access: str
    refresh: str
    expires_in: float
    user: User | None = None


def sign_in(url: str, email: str, password: str, retries: Retries) -> tuple[Profile, User]:
    """Begin a session.

    Raises:
        InvalidCredentials, LoginThrottled
    """
    body = {"email": email, "password": password}
    tokens = _ask(url, Request("POST", "/auth/login", body=msgspec.json.encode(body)), retries)
    assert tokens.user is not None
    profile = Profile(url=url, email=tokens.user.email)
    _take(profile, tokens)
    return profile, tokens.user


def sign_out(profile: Profile, retries: Retries) -> None:
    """End a session for all that came of it. One that has ended already is none the worse."""
    transport = Transport(profile.url, {}, retries=retries, connections=1)
    try:
        transport.send(post("/auth/logout", {"refresh": profile.refresh}))
    except Problem as error:
        if error.status not in (400, 401, 422):
            raise
    finally:
        transport.close()


class SessionTransport(httpx.BaseTransport):
    """Sends each request with a token that is good for it.

    Args:
        name: of the profile, which other commands use and renew at the same time.
    """

    def __init__(self, name: str, profile: Profile) -> None:
        self._name = name
        self._profile = profile
        # A client, not a transport: that one would not know of proxies and certificates in the environment.
        self._client = httpx.Client(follow_redirects=False)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        token = self._token()
        response = self._send(request, token)
        if response.status_code != 401:
            return response
        # The clock that says how long it is good may have been set since.
        response.close()
        return self._send(request, self._token(refused=token))

    def close(self) -> None:
        self._client.close()

    def _send(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers["Authorization"] = f"Bearer {token}"
        return self._client.send(request, stream=True)

    def _token(self, *, refused: str | None = None) -> str:
        if not _is_good(self._profile, refused):
            with profiles.changing() as saved:
                kept = saved.profiles.get(self._name)
                if kept is None or kept.refresh is None:
                    raise NoCredential(f"Somebody has logged out of the profile {self._name!r}.")
                if not _is_good(kept, refused):
                    _renew(kept, self._name)
                self._profile = kept
        assert self._profile.access is not None
        return self._profile.access


def _is_good(profile: Profile, refused: str | None) -> bool:
    """Whether the profile has a token, other than the refused one, that is good for a while by this machine's clock."""
    return profile.access not in (None, refused) and profile.access_ends_at - time.time() > _SPARE_SECONDS


def _renew(profile: Profile, name: str) -> None:
    body = msgspec.json.encode({"refresh": profile.refresh})
    try:
        tokens = _ask(profile.url, Request("POST", "/auth/refresh", body=body), _RENEWAL)
    except Problem as error:
        if error.status != 401:
            raise
        raise NoCredential(f"The session has ended. `eventflow login --profile {name}` begins another.") from error
    _take(profile, tokens)


def _take(profile: Profile, tokens: _Tokens) -> None:
    profile.access, profile.refresh = tokens.access, tokens.refresh
    profile.access_ends_at = time.time() + tokens.expires_in


def _ask(url: str, request: Request, retries: Retries) -> _Tokens:
    transport = Transport(url, {}, retries=retries, connections=1)
    try:
        return msgspec.json.decode(transport.send(request).body, type=_Tokens)
    finally:
        transport.close()
