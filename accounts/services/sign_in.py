"""Signing in for a token, keeping it fresh, signing out."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from django.contrib.auth import authenticate
from django.db import transaction
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.conf import MAX_PASSWORD_LENGTH
from accounts.errors import InvalidCredentials
from accounts.models import User
from accounts.services.sign_in_limit import count_sign_in, forgive_sign_in

FAMILY_CLAIM = "family"
_REFUSED_REFRESH = "The refresh token is not valid, has expired or was used before. Sign in again."


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token, and the refresh token that replaces it once."""

    access: str
    refresh: str
    expires_in: int


class _RotatingRefreshToken(RefreshToken):
    """A refresh token whose use is judged by us: one that was used before gives its family away."""

    def check_blacklist(self) -> None:
        """Not here: `refresh_tokens` looks, and acts on what it finds."""


def sign_in(*, email: str, password: str, client_address: str) -> tuple[User, TokenPair]:
    """Check an e-mail address and a password, and issue tokens to their user.

    Raises:
        InvalidCredentials, LoginThrottled
    """
    user = check_password(email=email, password=password, client_address=client_address)
    return user, issue_tokens(user, family=secrets.token_hex(8))


def check_password(*, email: str, password: str, client_address: str) -> User:
    """Return the user whom an address and a password belong to; the same answer and time for an unknown one.

    Raises:
        InvalidCredentials: they do not belong together, or the user is disabled.
        LoginThrottled: too many tries for this account or from this address; the password was not looked at.
    """
    email = email.strip().lower()
    # The cap comes before hashing: a long password must not buy a long computation.
    if len(password) > MAX_PASSWORD_LENGTH or "\x00" in password or "\x00" in email:
        raise InvalidCredentials("E-mail address or password is wrong.")
    count_sign_in(email=email, address=client_address)
    user = authenticate(None, username=email, password=password)
    if not isinstance(user, User):
        raise InvalidCredentials("E-mail address or password is wrong.")
    forgive_sign_in(email=email, address=client_address)
    return user


def issue_tokens(user: User, *, family: str) -> TokenPair:
    """Make a pair of tokens; all that descend from one sign-in share its family."""
    refresh = _RotatingRefreshToken.for_user(user)
    refresh[FAMILY_CLAIM] = family
    # The outstanding row was written before the claim was added.
    OutstandingToken.objects.filter(jti=refresh["jti"]).update(token=str(refresh))
    access = refresh.access_token
    return TokenPair(str(access), str(refresh), int(api_settings.ACCESS_TOKEN_LIFETIME.total_seconds()))


def refresh_tokens(*, refresh: str) -> TokenPair:
    """Exchange a refresh token for a new pair, once; a second use revokes all that came of its sign-in.

    Raises:
        InvalidCredentials
    """
    token = _parse(refresh)
    with transaction.atomic():
        if _use_up(token):
            return issue_tokens(_user_of(token), family=str(token.get(FAMILY_CLAIM, "")))
    _revoke_family(token)
    raise InvalidCredentials(_REFUSED_REFRESH)


def sign_out(*, refresh: str) -> None:
    """Revoke a refresh token and its family; harmless when that has happened already."""
    token = _parse(refresh)
    _use_up(token)
    _revoke_family(token)


def _parse(text: str) -> RefreshToken:
    try:
        return _RotatingRefreshToken(text)  # type: ignore[arg-type]
    except (TokenError, ValueError, OverflowError) as error:
        raise InvalidCredentials(_REFUSED_REFRESH) from error


def _use_up(token: RefreshToken) -> bool:
    """Blacklist a token; false if it was already, however many try at once."""
    jti = token["jti"]
    is_plain = isinstance(jti, str) and "\x00" not in jti
    outstanding = OutstandingToken.objects.filter(jti=jti).first() if is_plain else None
    if outstanding is None:
        raise InvalidCredentials(_REFUSED_REFRESH)
    _, is_first_use = BlacklistedToken.objects.get_or_create(token=outstanding)
    return is_first_use


def _user_of(token: RefreshToken) -> User:
    user = User.objects.filter(pk=token.get(api_settings.USER_ID_CLAIM), is_active=True).first()
    if user is None or token.get(api_settings.REVOKE_TOKEN_CLAIM) != get_md5_hash_password(user.password):
        raise InvalidCredentials(_REFUSED_REFRESH)
    return user


def _revoke_family(token: RefreshToken) -> None:
    family = token.get(FAMILY_CLAIM)
    for outstanding in OutstandingToken.objects.filter(
        user_id=token.get(api_settings.USER_ID_CLAIM), blacklistedtoken__isnull=True
    ):
        claims: dict[str, Any] = jwt.decode(outstanding.token, options={"verify_signature": False})
        if claims.get(FAMILY_CLAIM) == family:
            BlacklistedToken.objects.get_or_create(token=outstanding)


def delete_expired_tokens(*, now: datetime, limit: int = 5_000) -> int:
    """Forget up to `limit` refresh tokens whose time is up; return how many went."""
    expired = OutstandingToken.objects.filter(expires_at__lte=now).values_list("pk", flat=True)[:limit]
    pks = list(expired)
    OutstandingToken.objects.filter(pk__in=pks).delete()
    return len(pks)
