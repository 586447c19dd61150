"""Sessions of people: opening them, and ending them with all that came of them."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import QuerySet
from rest_framework_simplejwt.settings import api_settings

from accounts.audit_actions import AuditAction
from accounts.conf import EXPIRED_STEP_ROWS, SESSION_SEEN_INTERVAL_SECONDS
from accounts.errors import SessionNotFound
from accounts.models import User, UserSession
from accounts.queries import list_sessions
from accounts.services.audit import record

# Where Django's session of a browser keeps which of a user's sessions it is.
SESSION_ID: Final = "session_id"


@dataclass(frozen=True, slots=True)
class Visitor:
    """From where a person comes and with what, as far as that can be believed."""

    address: str
    user_agent: str


@transaction.atomic
def open_token_session(user: User, *, visitor: Visitor, now: datetime) -> UserSession:
    """Begin a family of tokens."""
    record(AuditAction.SIGNED_IN, target=user.email, by=user, after={"with": "tokens", "agent": visitor.user_agent})
    return UserSession.objects.create(
        id=secrets.token_hex(8),
        user=user,
        kind=UserSession.Kind.TOKENS,
        renewed_at=now,
        address=visitor.address,
        user_agent=visitor.user_agent,
        created_at=now,
        last_seen_at=now,
        expires_at=now + api_settings.REFRESH_TOKEN_LIFETIME,
    )


@transaction.atomic
def open_browser_session(
    user: User, *, browser_key: str, expires_at: datetime, visitor: Visitor, now: datetime, replaces: str | None = None
) -> UserSession:
    """Note that a browser has signed in.

    Args:
        replaces: the session that it had, if its user signs in again: Django goes on with the same key.
    """
    UserSession.objects.filter(pk=replaces, user=user).delete()
    record(AuditAction.SIGNED_IN, target=user.email, by=user, after={"with": "a browser", "agent": visitor.user_agent})
    return UserSession.objects.create(
        id=secrets.token_hex(8),
        user=user,
        kind=UserSession.Kind.BROWSER,
        renewed_at=now,
        browser_key=browser_key,
        address=visitor.address,
        user_agent=visitor.user_agent,
        created_at=now,
        last_seen_at=now,
        expires_at=expires_at,
    )


def note_browser_seen(session_id: str, *, visitor: Visitor, now: datetime) -> None:
    """Keep when and from where a browser was last seen, at most once a minute."""
    UserSession.objects.filter(
        pk=session_id, last_seen_at__lt=now - timedelta(seconds=SESSION_SEEN_INTERVAL_SECONDS)
    ).update(last_seen_at=now, address=visitor.address, user_agent=visitor.user_agent)


def keep_browser_session(session_id: str, *, browser_key: str, expires_at: datetime) -> None:
    """Follow a browser whose key was changed, and which stays for longer with the new one."""
    UserSession.objects.filter(pk=session_id).update(browser_key=browser_key, expires_at=expires_at)


@transaction.atomic
def end_session(*, user_id: int, session_id: str, now: datetime) -> None:
    """End one of a user's sessions: its browser is signed out, its tokens are refused at once, everywhere.

    Raises:
        SessionNotFound: it is somebody else's, or has ended already.
    """
    if "\x00" in session_id or not end_if_open(user_id=user_id, session_id=session_id, now=now):
        raise SessionNotFound("There is no such session, or it has ended.")


@transaction.atomic
def end_if_open(*, user_id: int, session_id: str | None, now: datetime) -> bool:
    """End one of a user's sessions; return whether there was anything to end."""
    has_ended = bool(_end(list_sessions(user_id, now=now).filter(pk=session_id), now))
    if has_ended:
        record(AuditAction.SESSIONS_ENDED, after={"sessions": 1})
    return has_ended


@transaction.atomic
def end_other_sessions(*, user_id: int, now: datetime, except_id: str | None) -> int:
    """End all sessions of whoever asks but the one in which they do; return how many."""
    ended = end_sessions(user_id=user_id, now=now, except_id=except_id)
    if ended:
        record(AuditAction.SESSIONS_ENDED, after={"sessions": ended})
    return ended


def end_sessions(*, user_id: int, now: datetime, except_id: str | None = None) -> int:
    """End all sessions of a user, perhaps but one, for a reason that the trail tells of; return how many."""
    return _end(list_sessions(user_id, now=now).exclude(pk=except_id or ""), now)


@transaction.atomic
def _end(sessions: QuerySet[UserSession], now: datetime) -> int:
    # One order for all, so that two who end several do not wait for each other.
    found = list(sessions.order_by("pk").select_for_update().values_list("pk", "browser_key"))
    Session.objects.filter(session_key__in=[key for _, key in found if key]).delete()
    return UserSession.objects.filter(pk__in=[pk for pk, _ in found]).update(ended_at=now)


def delete_expired_sessions(*, now: datetime, limit: int = EXPIRED_STEP_ROWS) -> int:
    """Forget up to `limit` sessions whose time is up, and of Django's; return how many of either."""
    expired = list(UserSession.objects.filter(expires_at__lte=now).values_list("pk", flat=True)[:limit])
    UserSession.objects.filter(pk__in=expired).delete()
    # What browsers had, which is Django's and which nobody else takes away.
    passed = list(Session.objects.filter(expire_date__lte=now).values_list("pk", flat=True)[:limit])
    Session.objects.filter(pk__in=passed).delete()
    return max(len(expired), len(passed))
