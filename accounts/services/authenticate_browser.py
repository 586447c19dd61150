"""Which caller a browser's session stands for, where Django's own middleware is not asked."""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.utils.crypto import constant_time_compare

from accounts.caller import Caller
from accounts.conf import KEY_CACHE_SECONDS, KEY_CACHE_SIZE
from accounts.errors import InvalidCredentials
from accounts.models import User
from accounts.short_memory import ShortMemory

_REFUSED = "The session has ended. Sign in again."
_memory: ShortMemory[str, Caller] = ShortMemory(seconds=KEY_CACHE_SECONDS, size=KEY_CACHE_SIZE)


def authenticate_browser(session_key: str) -> Caller:
    """Return the caller that is signed in with a session; one that has ended is refused within a second everywhere.

    Raises:
        InvalidCredentials: there is no such session, its time is up, or its user was disabled or has another password:
            one answer for all of them.
    """
    _check_form(session_key)
    return _memory.get(session_key, lambda: _load_caller(session_key))


async def authenticate_browser_async(session_key: str) -> Caller:
    """Do what `authenticate_browser` does, and let the event loop go on meanwhile."""
    _check_form(session_key)
    return await _memory.get_async(session_key, lambda: _load_caller(session_key))


def forget_browsers() -> None:
    """Drop what this process remembers, so that the end of a session here counts here at once."""
    _memory.forget()


def _check_form(session_key: str) -> None:
    if not (session_key.isascii() and session_key.isalnum()):
        raise InvalidCredentials(_REFUSED)


def _load_caller(session_key: str) -> Caller:
    session = SessionStore(session_key)
    user = User.objects.filter(pk=session.get(SESSION_KEY, 0), is_active=True).first()
    if user is None or not _is_of_password(session.get(HASH_SESSION_KEY, ""), user):
        raise InvalidCredentials(_REFUSED)
    return user.as_caller()


def _is_of_password(known: str, user: User) -> bool:
    """Whether a session was begun with the password that the user has now, with our key or one before it."""
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(known, each) for each in hashes)
