"""Both authenticators behind one door: a JWT for people, an API key for machines.

Every API request passes here, the hot ones thousands of times a second: a key that was looked up less
than a second ago costs no query (accounts/services/authenticate_key.py).
"""

from django.db import DatabaseError
from django.http import HttpRequest
from psycopg_pool import PoolTimeout
from rest_framework.authentication import BaseAuthentication
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken

from accounts.addresses import is_within
from accounts.caller import Caller
from accounts.database_threads import in_database_thread
from accounts.errors import AddressNotAllowed, AmbiguousCredentials, InvalidCredentials
from accounts.http.bearer import bearer_token_of
from accounts.http.client_address import client_address, visitor_of
from accounts.limits.rates import REQUESTS, get_rates
from accounts.services.authenticate_key import authenticate_key, authenticate_key_async
from accounts.services.key_uses import note_key_use
from accounts.services.tokens import caller_of_access_token
from accounts.turns import Names

MAX_CREDENTIAL_LENGTH = 4096


class CallerAuthentication(BaseAuthentication):
    """Turn `Authorization: Bearer <JWT>` or `X-API-Key: evf_…` into a Caller.

    Raises:
        AmbiguousCredentials: both are there, so it is unclear who asks.
        InvalidCredentials: the credential is malformed, unknown, expired or revoked.
        AddressNotAllowed: the key may be used from elsewhere only.
        RateLimited: it sends too many requests.
    """

    def authenticate(self, request: HttpRequest) -> tuple[Caller, None] | None:
        key, bearer = _credentials_of(request)
        if key is None and bearer is None:
            return None
        caller = caller_of_token(bearer or "") if key is None else _admitted(authenticate_key(key), request)
        take_request(caller)
        return caller, None

    def authenticate_header(self, request: HttpRequest) -> str:
        return 'Bearer realm="eventflow"'


async def find_caller(request: HttpRequest) -> Caller | None:
    """Return who sent a request, or None if it does not say; the event loop goes on meanwhile.

    Raises:
        AmbiguousCredentials, InvalidCredentials, AddressNotAllowed: as above.
    """
    key, bearer = _credentials_of(request)
    if key is not None:
        return _admitted(await authenticate_key_async(key), request)
    return None if bearer is None else await in_database_thread(lambda: caller_of_token(bearer))


def take_request(caller: Caller) -> None:
    """Count a request of somebody who may send one.

    Raises:
        RateLimited
    """
    rates = get_rates()
    rates.admit(caller, REQUESTS)
    rates.spend(caller, REQUESTS, 1)


async def find_sender(request: HttpRequest) -> Names | None:
    """Return who a request is certainly from, as far as that can be told for next to nothing; None: anybody.

    For bounds on what is not looked at yet. A token is not looked up: a user who was disabled may still send slowly.
    """
    key, bearer = request.META.get("HTTP_X_API_KEY"), request.META.get("HTTP_AUTHORIZATION")
    try:
        if key is not None:
            caller = await authenticate_key_async(key)
            return caller.names_in_turn if _may_come_from(caller, request) else None
        text = bearer_token_of(bearer or "")
        if text is not None and text.isascii() and len(text) <= MAX_CREDENTIAL_LENGTH:
            token = JWTAuthentication().get_validated_token(text.encode("ascii"))
            return (f"owner:{token['sub']}", f"user:{token['sub']}")
    except (DatabaseError, PoolTimeout, InvalidCredentials, InvalidToken, ValueError, OverflowError, KeyError):
        return None
    return None


def _credentials_of(request: HttpRequest) -> tuple[str | None, str | None]:
    """Return the API key and the bearer header: at most one of the two."""
    key = request.META.get("HTTP_X_API_KEY")
    bearer = request.META.get("HTTP_AUTHORIZATION")
    if key is not None and bearer is not None:
        raise AmbiguousCredentials("Send either Authorization or X-API-Key, not both.")
    return key, bearer


def _admitted(caller: Caller, request: HttpRequest) -> Caller:
    """Return the caller of a key that may be used from where the request comes, and note the use.

    Raises:
        AddressNotAllowed
    """
    if not _may_come_from(caller, request):
        raise AddressNotAllowed(f"This key may not be used from {client_address(request)}.")
    note_key_use(str(caller.key_id), lambda: visitor_of(request))
    return caller


def _may_come_from(caller: Caller, request: HttpRequest) -> bool:
    return caller.addresses is None or is_within(client_address(request), caller.addresses)


def caller_of_token(header: str) -> Caller:
    """Return who a bearer header belongs to.

    Raises:
        InvalidCredentials
    """
    token = bearer_token_of(header)
    if token is None or not token.isascii() or len(token) > MAX_CREDENTIAL_LENGTH:
        raise InvalidCredentials("Expected `Authorization: Bearer <access token>`.")
    return caller_of_access_token(token)
