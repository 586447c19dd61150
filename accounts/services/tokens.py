"""Tokens of people: made for a session, renewed once each, and believed for as long as the session lasts.

All tokens of a session are made from its row, so the same old refresh token gets the same new pair from an honest race,
and no token is kept anywhere (docs/adr/0021).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token
from rest_framework_simplejwt.utils import get_md5_hash_password

from accounts.audit_actions import AuditAction
from accounts.caller import Caller
from accounts.conf import REFRESH_RACE_SECONDS
from accounts.errors import InvalidCredentials
from accounts.models import User, UserSession
from accounts.roles import roles_named
from accounts.services.audit import record
from accounts.services.sessions import Visitor, open_token_session
from accounts.statements import run

SESSION_CLAIM = "session"
GENERATION_CLAIM = "generation"
_REFUSED_REFRESH = "The refresh token is not valid, has expired or was used before. Sign in again."
_REFUSED_ACCESS = "The access token is not valid or has expired. Sign in or refresh it."


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token, and the refresh token that replaces it once."""

    access: str
    refresh: str
    expires_in: int


def issue_tokens(user: User, *, visitor: Visitor) -> TokenPair:
    """Open a session for a user whose password was checked, and make its first pair."""
    now = timezone.now()
    return _newest_pair(open_token_session(user, visitor=visitor, now=now), user, now)


def refresh_tokens(*, refresh: str, visitor: Visitor) -> TokenPair:
    """Exchange a refresh token for a new pair, once; a later use ends its session, access tokens included.

    Who uses the last token again within ten seconds is taken for another tab of the same person, and gets the pair that
    the first one got.

    Raises:
        InvalidCredentials
    """
    token = _parse(refresh)
    now = timezone.now()
    with transaction.atomic():
        session = _lock(token)
        if session.ended_at is not None:
            raise InvalidCredentials(_REFUSED_REFRESH)
        if not session.user.is_active or not _is_stamped(token, session.user_id, session.user.password):
            raise InvalidCredentials(_REFUSED_REFRESH)
        behind = session.generation - _generation_of(token)
        if behind == 0:
            return renew(session, visitor=visitor, now=now)
        if behind == 1 and now - session.renewed_at <= timedelta(seconds=REFRESH_RACE_SECONDS):
            return _newest_pair(session, session.user, now)
        # Somebody else has it. Both lose it, and whoever is honest signs in again.
        UserSession.objects.filter(pk=session.pk).update(ended_at=now)
        because = {"sessions": 1, "because": "a refresh token was used again"}
        record(AuditAction.SESSIONS_ENDED, target=session.user.email, after=because)
    raise InvalidCredentials(_REFUSED_REFRESH)


def renew(session: UserSession, *, visitor: Visitor, now: datetime) -> TokenPair:
    """Make the next pair of a session whose row is locked; the pair before can be used no more."""
    session.generation += 1
    session.renewed_at = session.last_seen_at = now
    session.address, session.user_agent = visitor.address, visitor.user_agent
    session.expires_at = now + api_settings.REFRESH_TOKEN_LIFETIME
    session.save()
    return _newest_pair(session, session.user, now)


def sign_out(*, refresh: str) -> None:
    """End the session of a refresh token, access tokens included; harmless when that has happened already.

    Raises:
        InvalidCredentials: it is no refresh token of ours.
    """
    token = _parse(refresh)
    with transaction.atomic():
        session = _lock(token)
        if UserSession.objects.filter(pk=session.pk, ended_at__isnull=True).update(ended_at=timezone.now()):
            record(AuditAction.SESSIONS_ENDED, by=session.user, after={"sessions": 1})


def caller_of_access_token(access: str) -> Caller:
    """Return whom an access token stands for.

    Session and user are asked for each time, by one statement and nothing of Django's models: the end of a session, a
    disabled user and a changed password or role count at once.

    Raises:
        InvalidCredentials
    """
    try:
        token = AccessToken(access.encode("ascii"))  # type: ignore[arg-type]
    except (TokenError, ValueError, OverflowError) as error:
        raise InvalidCredentials(_REFUSED_ACCESS) from error
    session_id = _session_id_of(token)
    rows = run("caller_of_session", session_id=session_id)
    if not rows:
        raise InvalidCredentials(_REFUSED_ACCESS)
    user_id, email, is_active, is_superuser, password, groups, team_ids = rows[0]
    if not is_active or not _is_stamped(token, user_id, password):
        raise InvalidCredentials(_REFUSED_ACCESS)
    return Caller(
        user_id=user_id,
        email=email,
        roles=roles_named(groups, is_superuser=is_superuser),
        team_ids=frozenset(team_ids),
        session_id=session_id,
    )


def _parse(text: str) -> RefreshToken:
    try:
        return RefreshToken(text)  # type: ignore[arg-type]
    except (TokenError, ValueError, OverflowError) as error:
        raise InvalidCredentials(_REFUSED_REFRESH) from error


def _lock(token: RefreshToken) -> UserSession:
    sessions = UserSession.objects.select_for_update(of=("self",)).select_related("user")
    session = sessions.filter(pk=_session_id_of(token), kind=UserSession.Kind.TOKENS).first()
    # A token with another id or number than those that we make is not ours, even if our key has signed it.
    if session is None or token["jti"] != _name_of(session, _generation_of(token)):
        raise InvalidCredentials(_REFUSED_REFRESH)
    return session


def _session_id_of(token: RefreshToken | AccessToken) -> str:
    session_id = token.get(SESSION_CLAIM)
    return session_id if isinstance(session_id, str) and session_id.isalnum() and session_id.isascii() else ""


def _generation_of(token: RefreshToken) -> int:
    generation = token.get(GENERATION_CLAIM)
    return generation if type(generation) is int else -1


def _is_stamped(token: RefreshToken | AccessToken, user_id: int, password: str) -> bool:
    """Whether a token is of this user, and of their password (its hash) as it is now."""
    stamp = token.get(api_settings.REVOKE_TOKEN_CLAIM)
    return token.get(api_settings.USER_ID_CLAIM) == str(user_id) and stamp == get_md5_hash_password(password)


def _name_of(session: UserSession, generation: int) -> str:
    return f"{session.pk}-{generation}"


def _newest_pair(session: UserSession, user: User, now: datetime) -> TokenPair:
    """Make the pair of a session's generation, the same whenever it is made."""
    ends_at = session.renewed_at + api_settings.ACCESS_TOKEN_LIFETIME
    return TokenPair(
        access=str(_filled(AccessToken(), session, user)),
        refresh=str(_filled(RefreshToken(), session, user)),
        expires_in=int((ends_at - now).total_seconds()),
    )


def _filled(token: Token, session: UserSession, user: User) -> Token:
    """Say in a token all that it is believed for, and nothing that depends on when it is made."""
    token.set_exp(from_time=session.renewed_at)
    # A server whose clock is behind would refuse a token that is from a moment that has not come there.
    del token["iat"]
    token["jti"] = _name_of(session, session.generation)
    token[api_settings.USER_ID_CLAIM] = str(user.pk)
    token[api_settings.REVOKE_TOKEN_CLAIM] = get_md5_hash_password(user.password)
    token[SESSION_CLAIM] = session.pk
    token[GENERATION_CLAIM] = session.generation
    return token
